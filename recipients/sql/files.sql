-- name: import_by_key
SELECT id, wanted FROM suppression_import WHERE account = $1 AND request_key = $2;

-- name: import_begin
-- Nothing where a request with the same key has begun it meanwhile.
INSERT INTO suppression_import
    (id, account, actor, request_key, wanted, format, dry_run, state, term, run, rows_read, added, existing, refused,
     refused_by, ignored, digest, touched_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, 1, 0, 0, 0, 0, '{}', $9, $10, now())
ON CONFLICT (account, request_key) DO NOTHING
RETURNING id;

-- name: import_again
-- A run after one that was interrupted. Nothing where the one before may still be at it.
UPDATE suppression_import
SET state = CASE WHEN state = 'done' THEN 'done' ELSE 'running' END, detail = NULL, term = $2, run = run + 1,
    touched_at = CASE WHEN state = 'done' THEN touched_at ELSE now() END
WHERE id = $1
  AND (state <> 'running' OR touched_at < now() - $3::interval OR term = $2 OR NOT EXISTS (
      SELECT FROM owner_term AS t
      WHERE t.term = suppression_import.term AND t.ended_at IS NULL AND t.expires_at > '-infinity'
  ))
RETURNING run, state, rows_read, digest, dry_run;

-- name: import_step
-- Nothing where a later run has taken over, or where this step is committed already.
UPDATE suppression_import
SET rows_read = rows_read + $4, added = added + $5, existing = existing + $6, refused = refused + $7,
    refused_by = (
        SELECT coalesce(jsonb_object_agg(code, rows), '{}')
        FROM (
            SELECT code, sum(rows) AS rows
            FROM (
                SELECT key AS code, value::bigint AS rows FROM jsonb_each_text(refused_by)
                UNION ALL
                SELECT key, value::bigint FROM jsonb_each_text($8::text::jsonb)
            ) AS every
            GROUP BY code
        ) AS summed
    ),
    digest = $9, touched_at = now()
WHERE id = $1 AND run = $2 AND rows_read = $3 AND state = 'running'
RETURNING id;

-- name: import_step_verdicts
INSERT INTO suppression_import_step (import_id, first_row, refused, taken) VALUES ($1, $2, $3, $4);

-- name: import_end
UPDATE suppression_import
SET state = $3, detail = $4, touched_at = now(), finished_at = CASE WHEN $3 = 'done' THEN now() END
WHERE id = $1 AND run = $2 AND state = 'running'
RETURNING rows_read, added, existing, refused;

-- name: imports
-- An account's imports, the latest first, before an id; or the one with the id $3. One whose process is gone, or that
-- nothing was heard of for longer than it may be silent, is interrupted.
SELECT i.id, i.format, i.dry_run, i.rows_read, i.added, i.existing, i.refused, i.refused_by::text AS refused_by,
       i.ignored, i.touched_at, i.finished_at, i.run,
       CASE WHEN i.state <> 'running' THEN i.state WHEN live.live THEN 'running' ELSE 'interrupted' END AS state,
       CASE WHEN i.state = 'running' AND NOT live.live THEN 'gone' ELSE i.detail END AS detail
FROM suppression_import AS i
CROSS JOIN LATERAL (
    SELECT i.touched_at >= now() - $5::interval AND EXISTS (
        SELECT FROM owner_term AS t WHERE t.term = i.term AND t.ended_at IS NULL AND t.expires_at > '-infinity'
    ) AS live
) AS live
WHERE i.account = $1 AND i.id < $2 AND ($3::bigint IS NULL OR i.id = $3)
ORDER BY i.id DESC
LIMIT $4;

-- name: import_steps
SELECT first_row, refused, taken FROM suppression_import_step
WHERE import_id = $1 AND first_row > $2
ORDER BY first_row
LIMIT $3;

-- name: import_steps_purge
DELETE FROM suppression_import_step
WHERE (import_id, first_row) IN (
    SELECT import_id, first_row FROM suppression_import_step
    WHERE import_id < $1
    ORDER BY import_id, first_row
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);

-- name: imports_purge
-- What they added stays.
DELETE FROM suppression_import
WHERE id IN (
    SELECT id FROM suppression_import
    WHERE id < $1
    ORDER BY id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);

-- name: import_rehearsal
-- The keys that a dry run would have added, in the session of who asks.
CREATE TEMP TABLE IF NOT EXISTS import_rehearsal (
    import_id bigint NOT NULL,
    to_idx    bytea NOT NULL,
    category  smallint NOT NULL,
    PRIMARY KEY (import_id, to_idx, category)
);

-- name: import_rehearse
INSERT INTO import_rehearsal (import_id, to_idx, category)
SELECT $1, to_idx, category FROM unnest($2::bytea[], $3::smallint[]) AS new (to_idx, category)
ON CONFLICT DO NOTHING
RETURNING to_idx, category;

-- name: import_rehearsed
DELETE FROM import_rehearsal WHERE import_id = $1;

-- name: taken_back
-- When suppressions of these numbers were last taken back in this account, by category (NULL: of all).
SELECT subject, (detail ->> 'category')::smallint AS category, max(id) AS id
FROM audit
WHERE subject = ANY($1::bytea[]) AND account = $2 AND action = 'suppression.remove'
GROUP BY 1, 2;

-- name: granted_at
-- Of these numbers' latest words about each category those that gave consent.
SELECT to_idx, category, at
FROM (
    SELECT DISTINCT ON (to_idx, category) to_idx, category, at, granted
    FROM consent
    WHERE to_idx = ANY($1::bytea[]) AND account = $2
    ORDER BY to_idx, category, at DESC, id DESC
) AS latest
WHERE granted;

-- name: partner_hashes
-- A partner's list, in the session of who compares.
CREATE TEMP TABLE partner_hash (line integer NOT NULL, hash bytea NOT NULL);

-- name: partner_hashes_index
CREATE INDEX ON partner_hash (hash);

-- name: partner_hashes_analyze
ANALYZE partner_hash;

-- name: partner_hashes_of
SELECT hash, min(line) AS line FROM partner_hash WHERE hash = ANY($1::bytea[]) GROUP BY hash;
