-- What carriers delivered, octet for octet, where it was not clear what it means, or where a connector keeps everything.

-- Encrypted, since addresses and texts stand in it. One row for each deliver_sm or data_sm; a parked receipt has the id of
-- its row in unmatched_receipt. Partitioned by day, kept for [retention] raw_days. Writer: gateway.raw.
CREATE TABLE raw_delivery (
    id         bigint NOT NULL PRIMARY KEY,           -- time-ordered (storage/ids.py): when it came
    connector  smallint NOT NULL,
    receipt    boolean NOT NULL,                      -- whether it was taken for a receipt
    unclear    text,                                  -- gateway/unclear.py; null: kept though it was clear
    octets     integer NOT NULL,                      -- of the whole PDU
    cut        boolean NOT NULL,                      -- not all of them are here
    body_enc   bytea NOT NULL,
    reread_at  timestamptz,                           -- applied once more by `smsgate receipts reread`
    outcome    text                                   -- and what that changed
) PARTITION BY RANGE (id);

CREATE INDEX raw_delivery_connector ON raw_delivery (connector, id);
