-- How many messages of a category a person wants from an account at most; without a row any number. Kept as
-- suppressions are. Writer: recipients.
CREATE TABLE preference (
    account    smallint NOT NULL,
    category   smallint NOT NULL,
    to_idx     bytea NOT NULL,
    to_enc     bytea NOT NULL,
    month_max  smallint NOT NULL,                     -- in 30 days
    message_id bigint NOT NULL,                       -- whose page said so
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account, category, to_idx)
);
