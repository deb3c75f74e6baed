-- name: lease_block
SELECT nextval('link_block')

-- name: insert_range
-- $7 is true when a commit in doubt is tried again: the row may be there already, and is then the same.
INSERT INTO link_range (first_seq, slots, message_ids, targets, target_index, expires_at)
SELECT $1, $2, $3, $4, $5, $6
WHERE NOT ($7::boolean AND EXISTS (SELECT FROM link_range WHERE first_seq = $1))

-- name: find_ranges
-- The ranges that hold any of the given numbers. One probe of the primary key per number; a number that no range
-- holds (somebody guessing codes) transfers nothing.
WITH candidate AS (
    SELECT DISTINCT (
        SELECT first_seq FROM link_range WHERE first_seq <= seq ORDER BY first_seq DESC LIMIT 1
    ) AS first_seq
    FROM unnest($1::bigint[]) AS seq
)
SELECT first_seq, slots, message_ids, targets, target_index, expires_at
FROM candidate JOIN link_range USING (first_seq)
WHERE EXISTS (
    SELECT FROM unnest($1::bigint[]) AS seq
    WHERE seq >= first_seq AND seq < first_seq + cardinality(message_ids)
)

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
