-- name: querying_lock
-- Held until the session ends: of all processes one asks carriers what became of messages.
SELECT pg_try_advisory_lock(7307061106);

-- name: query_cursor
SELECT submission_id FROM query_cursor WHERE connector = $1;

-- name: query_cursor_move
INSERT INTO query_cursor (connector, submission_id) VALUES ($1, $2)
ON CONFLICT (connector) DO UPDATE SET submission_id = excluded.submission_id;
