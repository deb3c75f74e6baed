-- Suppressions that can be listed: newest first, with the number where no message is the evidence.
ALTER TABLE suppression ADD COLUMN to_enc bytea;
DROP INDEX suppression_listed;
CREATE INDEX suppression_listed ON suppression (created_at, to_idx, account, category);
