-- A list of breakers tells each bundle's size and digest, and reads none of them.
ALTER TABLE breaker ADD COLUMN evidence_sha256 bytea GENERATED ALWAYS AS (sha256(evidence)) STORED;
