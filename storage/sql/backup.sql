-- name: export_snapshot
SELECT pg_export_snapshot() AS snapshot, now() AS taken_at, current_setting('server_version') AS server,
       (SELECT max(name) FROM schema_migration) AS migration,
       (SELECT key_fingerprint FROM installation) AS key_fingerprint;

-- name: tables_of_schema
-- Ordinary tables and partitioned ones, not their leaves, and what counts, keeps and drops each.
SELECT relname AS name, format('SELECT count(*) FROM %I', relname) AS counting,
       format('LOCK TABLE %I IN ACCESS SHARE MODE', relname) AS keeping,
       format('DROP TABLE %I CASCADE', relname) AS dropping
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname;

-- name: note_backup
INSERT INTO backup (taken_at, bytes, elsewhere) VALUES ($1, $2, $3);

-- name: forget_backups
DELETE FROM backup WHERE id <= (SELECT max(id) FROM backup) - $1;

-- name: last_backup
SELECT max(taken_at) FROM backup;

-- name: sequences_ahead
-- Terms and blocks of links that were given out after the backup are never given out again.
SELECT setval(pg_get_serial_sequence('owner_term', 'term'), (SELECT coalesce(max(term), 0) FROM owner_term) + $1),
       setval('link_block', nextval('link_block') + $1);

-- name: end_terms
UPDATE owner_term SET ended_at = clock_timestamp() WHERE ended_at IS NULL;

-- name: note_restoration
INSERT INTO restoration (taken_at, outbox, messages) VALUES ($1, $2, $3);

-- name: unaccepted_restoration
SELECT id, taken_at, restored_at, outbox, messages
FROM restoration
WHERE accepted_at IS NULL AND id = (SELECT max(id) FROM restoration);

-- name: accept_restoration
UPDATE restoration SET accepted_at = now() WHERE accepted_at IS NULL;

-- name: restore_begun
SELECT to_regnamespace('smsgate_restore') IS NOT NULL;

-- name: restore_alone
SELECT pg_try_advisory_lock(7164303);

-- name: begin_restore
CREATE SCHEMA smsgate_restore;

-- name: end_restore
DROP SCHEMA smsgate_restore;
