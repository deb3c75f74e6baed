-- How often, and with whose leave: what the rules about recipients count and keep.

-- When one account's messages of one category went to one number: one row per number, locked by whoever counts.
-- Pairs in order of time, those of the last 30 days. Writer: campaigns.
CREATE TABLE frequency (
    account     smallint NOT NULL,
    category    smallint NOT NULL,
    to_idx      bytea NOT NULL,
    message_ids bigint[] NOT NULL DEFAULT '{}',       -- so that a message sent again is not counted again
    sent_at     bigint[] NOT NULL DEFAULT '{}',       -- ms since the epoch
    PRIMARY KEY (account, category, to_idx)
) WITH (fillfactor = 70);

-- One-time passwords of an account to numbers that begin alike, in slots of five minutes. Writer: campaigns.
CREATE TABLE prefix_count (
    account smallint NOT NULL,
    prefix  text NOT NULL,
    slots   bigint[] NOT NULL DEFAULT '{}',           -- start, ms since the epoch
    counts  integer[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (account, prefix)
) WITH (fillfactor = 50);

-- Who allowed what, when and how it was shown; never changed, the latest `at` holds. Writer: campaigns.
CREATE TABLE consent (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account      smallint NOT NULL,
    category     smallint NOT NULL,
    to_idx       bytea NOT NULL,
    to_enc       bytea NOT NULL,
    granted      boolean NOT NULL,                    -- false: withdrawn
    source       text NOT NULL,                       -- website, shop, app …
    text_version text,                                -- of what the person was shown
    evidence     text,                                -- where the proof is kept
    at           timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX consent_standing ON consent (to_idx, account, category, at DESC, id DESC);
CREATE INDEX consent_of_account ON consent (account, id DESC);
