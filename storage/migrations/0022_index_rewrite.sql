-- Numbers that have several forms are indexed in one. How far the tables are in which somebody is looked for have been
-- rewritten: rows up to these keys have, whoever is at it holds the row. Until all are done, look-ups ask for the
-- indexes of before, too. Writer: gateway.
CREATE TABLE index_rewrite (
    name           text PRIMARY KEY,                  -- suppression | consent | frequency
    after_account  smallint NOT NULL DEFAULT -32768,
    after_category smallint NOT NULL DEFAULT -32768,
    after_idx      bytea NOT NULL DEFAULT '',
    after_id       bigint NOT NULL DEFAULT 0,
    rows_moved     bigint NOT NULL DEFAULT 0,
    rows_left      bigint NOT NULL DEFAULT 0,         -- whose number nothing tells any more: they stay findable as before
    done           boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT now() -- gateways that are older than this write the old indexes
);
-- Of a parked receipt: the indexes of 16 octets, one behind the other, that the release before had for the recipient.
ALTER TABLE unmatched_receipt ADD COLUMN other_idx bytea;
INSERT INTO index_rewrite (name) VALUES ('suppression'), ('consent'), ('frequency');
