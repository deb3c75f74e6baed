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

-- name: import_seen
-- Which of these contacts an earlier row of this import names.
SELECT DISTINCT contact FROM import_row WHERE job = $1 AND contact = ANY($2::bigint[]);

-- name: contacts_with_events
SELECT DISTINCT contact FROM contact_event WHERE contact = ANY($1::bigint[]);

-- name: contacts_remove
WITH numbers AS (
    DELETE FROM contact_number WHERE contact = ANY($1::bigint[])
)
DELETE FROM contact WHERE id = ANY($1::bigint[]) OR merged_into = ANY($1::bigint[]);

-- name: contact_numbers_remove
-- Those that this import brought.
DELETE FROM contact_number WHERE contact = ANY($1::bigint[]) AND job = $2;

-- name: contact_numbers_of
SELECT contact, array_agg(to_idx ORDER BY rank) AS numbers FROM contact_number
WHERE contact = ANY($1::bigint[])
GROUP BY contact;

-- name: import_begin
INSERT INTO import_job (id, account, actor, asks, format, mapping, mode, dry_run, state, term)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'receiving', $9);

-- name: import_known
-- The import of this file, asked for in the same way.
SELECT id FROM import_job
WHERE account = $1 AND sha256 = $2 AND asks = $3 AND state <> 'undone';

-- name: import_received
-- It waits for its turn.
UPDATE import_job
SET sha256 = $2, bytes = $3, encoding = $4, ignored = $5, state = 'waiting', term = NULL, touched_at = now()
WHERE id = $1;

-- name: import_forget
-- A file that did not come whole, or came before.
WITH pieces AS (
    DELETE FROM import_piece WHERE job = $1
)
DELETE FROM import_job WHERE id = $1 AND state = 'receiving';

-- name: import_claim
-- The oldest that waits, or that a process left that is gone. $1: our term.
UPDATE import_job AS j
SET term = $1, state = CASE WHEN j.state = 'undoing' THEN 'undoing' ELSE 'running' END, touched_at = now()
WHERE j.id = (
    SELECT i.id FROM import_job AS i
    WHERE i.state IN ('waiting', 'running', 'undoing')
      AND (i.term IS NULL OR i.term = $1 OR NOT EXISTS (
          SELECT FROM owner_term AS t WHERE t.term = i.term AND t.ended_at IS NULL AND t.expires_at > '-infinity'
      ))
    ORDER BY i.id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING j.id, j.account, j.actor, j.format, j.encoding, j.mapping, j.mode, j.dry_run, j.state, j.rows_read, j.bytes;

-- name: import_pieces
SELECT id, octets_enc FROM import_piece WHERE job = $1 AND id > $2 ORDER BY id LIMIT $3;

-- name: import_step
-- Nothing where another process has taken over, or where this step is committed already. Counts are added.
UPDATE import_job
SET rows_read = rows_read + $4, touched_at = now(),
    counts = (
        SELECT coalesce(jsonb_object_agg(name, rows), '{}')
        FROM (
            SELECT name, sum(rows) AS rows
            FROM (
                SELECT key AS name, value::bigint AS rows FROM jsonb_each_text(counts)
                UNION ALL
                SELECT key, value::bigint FROM jsonb_each_text($5::text::jsonb)
            ) AS every
            GROUP BY name
        ) AS summed
    )
WHERE id = $1 AND term = $2 AND rows_read = $3 AND state = 'running'
RETURNING id;

-- name: import_end
-- The file goes with it. After a failure the same file may be sent again.
WITH pieces AS (
    DELETE FROM import_piece WHERE job = $1
)
UPDATE import_job
SET state = $3, detail = $4, touched_at = now(), finished_at = now(), term = NULL,
    sha256 = CASE WHEN $3 <> 'failed' THEN sha256 END
WHERE id = $1 AND term = $2 AND state IN ('running', 'undoing')
RETURNING rows_read, counts;

-- name: import_restart
-- A rehearsal keeps what it knows in its session: another process begins anew.
WITH rows AS (
    DELETE FROM import_row WHERE job = $1
)
UPDATE import_job SET rows_read = 0, counts = '{}' WHERE id = $1 AND term = $2;

-- name: contact_rehearsal
CREATE TEMP TABLE IF NOT EXISTS contact_rehearsal (job bigint NOT NULL, key bytea NOT NULL, PRIMARY KEY (job, key));

-- name: contact_rehearse
INSERT INTO contact_rehearsal (job, key) SELECT $1, unnest($2::bytea[]) ON CONFLICT DO NOTHING RETURNING key;

-- name: contact_rehearsed
DELETE FROM contact_rehearsal WHERE job = $1;

-- name: import_views
-- An account's imports before an id, the latest first; or the one with the id $3.
SELECT id, format, encoding, mode, dry_run, state, detail, bytes, rows_read, counts, ignored, touched_at, finished_at
FROM import_job
WHERE account = $1 AND id < $2 AND ($3::bigint IS NULL OR id = $3)
ORDER BY id DESC
LIMIT $4;

-- name: import_rows
-- Rows of an import behind a line, of one verdict or of all ($3 NULL).
SELECT line, verdict, codes, shown, contact FROM import_row
WHERE job = $1 AND line > $2 AND ($3::smallint IS NULL OR verdict = $3)
ORDER BY line
LIMIT $4;

-- name: import_undo
-- One that has ended, with its file or in the middle of it, or that is asked for again.
UPDATE import_job SET state = 'undoing', term = NULL, touched_at = now()
WHERE account = $1 AND id = $2 AND state IN ('done', 'failed', 'undoing') AND NOT dry_run
RETURNING id;

-- name: import_undo_rows
-- Rows that changed something and are not looked at yet: created, updated or merged.
SELECT line, contact, revision, before, verdict FROM import_row
WHERE job = $1 AND verdict IN (1, 2, 4) AND contact IS NOT NULL
ORDER BY line
LIMIT $2
FOR UPDATE;

-- name: import_undo_marks
UPDATE import_row AS r SET verdict = x.verdict, before = NULL
FROM unnest($2::integer[], $3::smallint[]) AS x (line, verdict)
WHERE r.job = $1 AND r.line = x.line;

-- name: import_undo_counts
-- Returns nothing where another process has taken over.
UPDATE import_job
SET counts = counts || jsonb_build_object(
        'undone', coalesce((counts ->> 'undone')::bigint, 0) + $3::bigint,
        'kept', coalesce((counts ->> 'kept')::bigint, 0) + $4::bigint
    ), touched_at = now()
WHERE id = $1 AND term = $2 AND state = 'undoing'
RETURNING id;

-- name: imports_left
-- Files that nobody finished sending a day ago.
WITH gone AS (
    DELETE FROM import_job WHERE state = 'receiving' AND touched_at < now() - interval '1 day' RETURNING id
)
DELETE FROM import_piece WHERE job IN (SELECT id FROM gone);
