-- name: oldest_transaction
-- Seconds since another client's oldest transaction in this database began; null: there is none.
SELECT extract(epoch FROM max(now() - xact_start))::float
FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend';

-- name: has_messages
SELECT EXISTS (SELECT FROM message);
