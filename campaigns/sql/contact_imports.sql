-- name: import_jobs_purge
-- What they brought stays.
DELETE FROM import_job
WHERE id IN (
    SELECT id FROM import_job
    WHERE id < $1 AND state NOT IN ('waiting', 'running', 'undoing')
    ORDER BY id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);
