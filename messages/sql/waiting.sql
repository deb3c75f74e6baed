-- name: queue_depth
-- What waits of one account, by connector and category; the oldest by its id, which is its time. Reads the outbox once.
-- What a canceled batch has left there waits no more.
SELECT o.connector, o.category,
       count(*) AS messages,
       sum(o.parts) AS parts,
       count(*) FILTER (WHERE o.owner <> 0) AS in_memory,
       min(o.id) FILTER (WHERE (o.not_before IS NULL OR o.not_before <= now()) AND b.id IS NULL) AS oldest
FROM outbox AS o
LEFT JOIN batch_control AS b ON b.id = o.batch_id AND b.live AND b.state <> 0
WHERE o.account = $1
  AND (b.state IS DISTINCT FROM 2 OR o.id IN (SELECT unnest(message_ids) FROM submit_intent))
GROUP BY o.connector, o.category
ORDER BY o.connector, o.category;

-- name: queue_held
-- What waits for a moment or for its batch, each under one rule ($2 if its batch is paused: rows say nothing of that).
-- What an intent names is being sent.
SELECT CASE WHEN b.id IS NULL THEN o.hold ELSE $2::smallint END AS hold, count(*) AS messages
FROM outbox AS o
LEFT JOIN batch_control AS b ON b.id = o.batch_id AND b.live AND b.state <> 0
WHERE o.account = $1 AND (o.not_before > now() OR b.state = 1) AND b.state IS DISTINCT FROM 2
  AND o.id NOT IN (SELECT unnest(message_ids) FROM submit_intent)
GROUP BY 1
ORDER BY 1;

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

-- name: batch_ahead
-- By connector: parts of a batch that wait, the latest moment one of them waits for, and what may go before them.
SELECT own.connector, own.parts AS own, own.last,
       coalesce((
           SELECT sum(o.parts) FROM outbox AS o
           WHERE o.connector = own.connector AND o.batch_id IS DISTINCT FROM $1
             AND (o.not_before IS NULL OR o.not_before <= now())
       ), 0) AS others
FROM (
    SELECT connector, sum(parts) AS parts, max(not_before) AS last
    FROM outbox
    WHERE id > $1 AND id <= $2 AND batch_id = $1
    GROUP BY connector
) AS own;

-- name: parts_ahead
-- What may go now, by connector.
SELECT connector, sum(parts) AS parts
FROM outbox
WHERE connector = ANY($1::smallint[]) AND (not_before IS NULL OR not_before <= now())
GROUP BY connector;
