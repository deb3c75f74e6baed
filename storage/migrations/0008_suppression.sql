-- Suppressions that end by themselves, and who changed what.

ALTER TABLE suppression ADD COLUMN expires_at timestamptz;             -- NULL = for good
-- GET /v1/suppressions: an account's, newest first.
CREATE INDEX suppression_listed ON suppression (account, created_at, to_idx, category);

-- Append-only: who changed what and when. Numbers stand as their keyed index. Writer: storage.
CREATE TABLE audit (
    id      bigint NOT NULL PRIMARY KEY,              -- time-ordered (storage/ids.py)
    account smallint NOT NULL,
    actor   text NOT NULL,                            -- "key 7", "keyword"
    action  text NOT NULL,                            -- suppression.add | suppression.remove
    subject bytea,                                    -- to_idx
    detail  jsonb
);
CREATE INDEX audit_subject ON audit (subject);
