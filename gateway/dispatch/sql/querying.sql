-- name: querying_lock
-- Held until the session ends: of all processes one asks carriers what became of messages.
SELECT pg_try_advisory_lock(7307061106);
