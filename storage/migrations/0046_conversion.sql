-- What links led to, as the account's site tells it. The click is found when it is told, and stands for good.
-- Writer: shortlinks.
CREATE TABLE conversion (
    id           bigint NOT NULL PRIMARY KEY,         -- time-ordered (storage/ids.py): when it was recorded
    account      smallint NOT NULL,
    reference    text NOT NULL,                       -- the id that the site gave it
    fingerprint  bytea NOT NULL,                      -- of all it says: the same id with other words is refused
    event        text NOT NULL,
    value_micros bigint,                              -- of a currency's unit; NULL without a value
    currency     text,                                -- ISO 4217
    occurred_at  timestamptz NOT NULL,
    message_id   bigint NOT NULL,
    slot         smallint,                            -- the link of the message that was named or clicked
    click_id     bigint                               -- the person's click that counts; NULL: none inside the window
);
CREATE UNIQUE INDEX conversion_reference ON conversion (account, reference);
CREATE INDEX conversion_message ON conversion (message_id);
