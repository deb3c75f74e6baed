-- name: rotation_read
SELECT phase, from_fingerprint, to_fingerprint, carried_enc, keeps_index, pass, started_at, changed_at FROM number_rotation;

-- name: rotation_start
-- No row when another change runs.
INSERT INTO number_rotation (phase, from_fingerprint, to_fingerprint, carried_enc)
VALUES (1, $1, $2, $3)
ON CONFLICT (singleton) DO UPDATE
SET phase = 1, from_fingerprint = excluded.from_fingerprint, to_fingerprint = excluded.to_fingerprint,
    carried_enc = excluded.carried_enc, pass = 1, started_at = now(), changed_at = now()
WHERE number_rotation.phase = 0
RETURNING phase;

-- name: rotation_clear_terms
UPDATE owner_term SET number_key = 0, number_key_at = NULL WHERE ended_at IS NULL;

-- name: rotation_clear_tables
DELETE FROM number_rewrite;

-- name: rotation_tell
-- Locked against a step of the change: a process that begins is seen by it, or sees it.
UPDATE owner_term SET number_key = $2, number_key_at = clock_timestamp()
WHERE term = $1 AND number_key < $2;

-- name: rotation_lock
SELECT phase FROM number_rotation WHERE phase = $1 FOR UPDATE;

-- name: rotation_may_go_on
-- Every process has told, and no transaction is open that began before the last of them did.
SELECT NOT EXISTS (SELECT FROM owner_term WHERE ended_at IS NULL AND number_key < $1)
   AND NOT EXISTS (
       SELECT FROM pg_stat_activity AS a
       WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND starts_with(a.application_name, 'smsgate')
         AND a.xact_start <= (SELECT max(number_key_at) FROM owner_term WHERE ended_at IS NULL)
   );

-- name: rotation_waits_for
-- Processes that have not told, by where they run.
SELECT term, host, pid, number_key FROM owner_term WHERE ended_at IS NULL AND number_key < $1 ORDER BY term;

-- name: rotation_step
UPDATE number_rotation SET phase = $1, changed_at = now();

-- name: rotation_finish
UPDATE number_rotation SET phase = 0, keeps_index = $1, changed_at = now();

-- name: rotation_fingerprint
UPDATE installation SET key_fingerprint = (SELECT to_fingerprint FROM number_rotation);

-- name: rewrite_tables
INSERT INTO number_rewrite (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING;

-- name: rewrite_progress
SELECT name, rows_moved, pass_moved, rows_left, done FROM number_rewrite ORDER BY name;

-- name: rewrite_take_table
-- Ours until the transaction ends; nothing if another process is at it.
SELECT place FROM number_rewrite WHERE name = $1 AND NOT done FOR UPDATE SKIP LOCKED;

-- name: rewrite_store_table
UPDATE number_rewrite
SET place = $2, rows_moved = rows_moved + $3, pass_moved = pass_moved + $3, rows_left = rows_left + $4, done = $5
WHERE name = $1;

-- name: rewrite_next_pass
UPDATE number_rewrite SET place = NULL, pass_moved = 0, rows_left = 0, done = false;

-- name: rotation_next_pass
UPDATE number_rotation SET pass = pass + 1;
