-- Complaints about an account's messages, told by carriers, regulators and apps. Append-only. What is told of the message
-- stands here, since a complaint is kept longer than the message. Writer: recipients.
CREATE TABLE complaint (
    id          bigint NOT NULL PRIMARY KEY,          -- time-ordered (storage/ids.py): when it was recorded
    account     smallint NOT NULL,
    reference   text NOT NULL,                        -- the id that its teller gave it
    fingerprint bytea NOT NULL,                       -- keyed, of all it says: the same id with other words is refused
    to_idx      bytea NOT NULL,
    to_enc      bytea NOT NULL,
    source      text NOT NULL,                        -- carrier | regulator | app | recipient | other
    source_name text,                                 -- 12321, the carrier's name …
    text        text,
    at          timestamptz NOT NULL,                 -- when the person complained
    message_id  bigint,                               -- the message it is about, as told or the last one sent before it
    connector   smallint,
    sender      text,
    category    smallint,
    campaign_id text,
    suppressed  smallint                              -- the category that ended, -1 all; NULL nothing
);
CREATE UNIQUE INDEX complaint_reference ON complaint (account, reference);
CREATE INDEX complaint_of_account ON complaint (account, id);
CREATE INDEX complaint_of_number ON complaint (to_idx);
CREATE INDEX complaint_of_message ON complaint (message_id) WHERE message_id IS NOT NULL;
