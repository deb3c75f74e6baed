-- name: lease_block
SELECT nextval('link_block')

-- name: insert_range
-- $7 is true when a commit in doubt is tried again: the row may be there already, and is then the same.
INSERT INTO link_range (first_seq, slots, message_ids, targets, target_index, expires_at)
SELECT $1, $2, $3, $4, $5, $6
WHERE NOT ($7::boolean AND EXISTS (SELECT FROM link_range WHERE first_seq = $1))

-- name: find_ranges
-- The ranges that hold any of the given numbers: one probe of the primary key per number. A number that no range
-- holds (somebody guessing codes) transfers nothing.
WITH held AS (
    SELECT DISTINCT nearest.first_seq
    FROM unnest($1::bigint[]) AS seq
    CROSS JOIN LATERAL (
        SELECT first_seq, cardinality(message_ids) AS messages
        FROM link_range WHERE first_seq <= seq ORDER BY first_seq DESC LIMIT 1
    ) AS nearest
    WHERE seq < nearest.first_seq + nearest.messages
)
SELECT first_seq, slots, message_ids, targets, target_index, expires_at
FROM held JOIN link_range USING (first_seq)

-- name: delete_expired
-- One step of a walk along the primary key: looks at $3 rows after $2 and deletes those expired before $1.
WITH step AS (
    SELECT first_seq, expires_at FROM link_range WHERE first_seq > $2 ORDER BY first_seq LIMIT $3
), gone AS (
    DELETE FROM link_range USING step
    WHERE link_range.first_seq = step.first_seq AND step.expires_at < $1
    RETURNING 1
)
SELECT (SELECT count(*) FROM gone) AS deleted, (SELECT max(first_seq) FROM step) AS last_seq

-- name: recent_ranges
-- The newest first, at most $2. $1 NULL: of any age.
SELECT first_seq, created_at FROM link_range
WHERE $1::timestamptz IS NULL OR created_at >= $1 ORDER BY created_at DESC LIMIT $2
