-- name: queue_depth
-- What waits of one account, by connector and category; the oldest by its id, which is its time. Reads the outbox once.
SELECT connector, category,
       count(*) AS messages,
       sum(parts) AS parts,
       count(*) FILTER (WHERE owner <> 0) AS in_memory,
       min(id) FILTER (WHERE not_before IS NULL) AS oldest
FROM outbox
WHERE account = $1
GROUP BY connector, category
ORDER BY connector, category;

-- name: queue_held
-- What waits for a moment, and the rule behind it.
SELECT hold, count(*) AS messages FROM outbox WHERE account = $1 AND not_before IS NOT NULL GROUP BY hold ORDER BY hold;

-- name: queue_paused
-- Of batches that are paused; their rows say nothing of it.
SELECT count(*)
FROM batch_control AS b
JOIN outbox AS o ON o.id > b.id AND o.id <= b.until_id AND o.batch_id = b.id
WHERE b.live AND b.state = 1 AND b.account = $1;

-- name: backlog_oldest
-- The first of each connector's and category's backlog: one look at the index for each band.
SELECT kind.connector, kind.category, min(first.id) AS id
FROM unnest($1::smallint[], $2::smallint[]) AS kind (connector, category)
CROSS JOIN generate_series(0, 2) AS band
CROSS JOIN LATERAL (
    SELECT o.id
    FROM outbox AS o
    WHERE o.owner = 0 AND o.not_before IS NULL AND o.connector = kind.connector AND o.category = kind.category
      AND o.priority * 3 / 10 = band
    ORDER BY COALESCE(o.batch_id, o.id), o.id
    LIMIT 1
) AS first
GROUP BY kind.connector, kind.category;
