-- name: ways_settle
-- Which way of these messages says what they are: the first that delivered all parts. Else the one that waits, else the
-- last. The rows of the others are replaced.
WITH way AS (
    SELECT message_id, way,
           min(part) > 0 AND count(DISTINCT part) FILTER (WHERE status = $3) >= max(parts) AS delivered
    FROM submission
    WHERE message_id = ANY($1::bigint[]) AND id >= $2
    GROUP BY message_id, way
), deciding AS (
    SELECT w.message_id, coalesce(min(w.way) FILTER (WHERE w.delivered), max(o.way), max(w.way)) AS way
    FROM way AS w
    LEFT JOIN outbox AS o ON o.id = w.message_id
    GROUP BY w.message_id
)
UPDATE submission AS s
SET replaced = s.way <> d.way
FROM deciding AS d
WHERE s.message_id = d.message_id AND s.message_id = ANY($1::bigint[]) AND s.id >= $2 AND s.replaced <> (s.way <> d.way);
