-- Whom a parked receipt is about, as far as its addresses tell: so it finds a submit_sm in doubt, whose id nobody knows.
ALTER TABLE unmatched_receipt ADD COLUMN to_idx bytea, ADD COLUMN sender text NOT NULL DEFAULT '';
