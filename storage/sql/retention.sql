-- name: retention_try
-- One process at a time, in its session: a partition cannot be detached concurrently inside a transaction.
SELECT pg_try_advisory_lock(7307061107);

-- name: retention_done
SELECT pg_advisory_unlock(7307061107);

-- name: oldest_waiting
-- The oldest message that still waits, by the database's clock the time now.
SELECT min(id) AS id, clock_timestamp() AS now,
       coalesce((SELECT keeps_as_before FROM installation), false) AS keeps_as_before
FROM outbox;
