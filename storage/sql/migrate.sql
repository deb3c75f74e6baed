-- name: lock_migrations
-- One migrator at a time in this database, for as long as its session lives. A release before that held the same lock
-- in one transaction waits for it, too.
SELECT pg_advisory_lock(7164301);

-- name: unlock_migrations
SELECT pg_advisory_unlock(7164301);

-- name: create_schema_migration
CREATE TABLE IF NOT EXISTS schema_migration (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,                         -- SHA-256 of the file as it was applied
    applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: has_schema
SELECT to_regclass('schema_migration') IS NOT NULL;

-- name: applied_migrations
SELECT name, checksum FROM schema_migration ORDER BY name;

-- name: record_migration
INSERT INTO schema_migration (name, checksum) VALUES ($1, $2);
