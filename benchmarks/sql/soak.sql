-- What a long run asks of the gateway's tables.

-- name: soak_sizes
-- Octets and dead tuples of each table with all its days.
SELECT coalesce(root.relname, c.relname)::text AS name,
       sum(pg_table_size(c.oid))::bigint AS octets,
       sum(pg_indexes_size(c.oid))::bigint AS index_octets,
       sum(coalesce(pg_stat_get_dead_tuples(c.oid), 0))::bigint AS dead
FROM pg_class AS c
LEFT JOIN pg_class AS root ON root.oid = pg_partition_root(c.oid)
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
GROUP BY 1;

-- name: soak_latency
-- From acceptance to the stored receipt in ms, the median and the 99th of a hundred. $1, $2: the ids of a span of time;
-- $3: the milliseconds of an id's time at 1970; $4: delivered.
SELECT percentile_cont(ARRAY[0.5, 0.99]::float8[]) WITHIN GROUP (
           ORDER BY (extract(epoch FROM s.receipt_at) * 1000 - ((s.message_id >> 22) + $3::bigint))::float8
       ) AS quantiles
FROM submission AS s
WHERE s.message_id >= $1 AND s.message_id < $2 AND s.id >= $1 AND s.status = $4 AND s.receipt_at IS NOT NULL;

-- name: soak_left
-- What has not come to its end.
SELECT (SELECT count(*) FROM outbox) AS waiting, (SELECT count(*) FROM webhook_delivery) AS untold,
       (SELECT count(*) FROM webhook_change) AS unmade;

-- name: soak_books
-- Messages, those whose only part has ended, and doubts after which one was sent again.
SELECT (SELECT count(*) FROM message) AS messages,
       (SELECT count(DISTINCT s.message_id) FROM submission AS s WHERE s.part > 0 AND s.status >= $1) AS ended,
       (SELECT count(*) FROM event WHERE kind = 'in_doubt' AND detail ->> 'policy' = 'resend') AS resent;
