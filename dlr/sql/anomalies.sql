-- name: anomaly_turn
-- One process at a time; the others leave it to that one.
SELECT quarter FROM anomaly_state FOR UPDATE SKIP LOCKED;

-- name: anomaly_looked
-- Another process may have gone on meanwhile.
UPDATE anomaly_state SET quarter = greatest(quarter, $1);

-- name: anomaly_counted
-- Up to where rollups count, as of when, where they begin, and what was looked at.
SELECT s.cursor, s.merged_at, a.quarter AS looked, (SELECT min(quarter) FROM rollup_cell) AS first_quarter
FROM rollup_state AS s
CROSS JOIN anomaly_state AS a;

-- name: anomaly_windows
-- The busiest keys and their windows of these quarters: with one-time passwords, and without them.
WITH counted AS (
    SELECT CASE WHEN grouping(k.operator) = 0 THEN 'operator' WHEN grouping(k.connector) = 0 THEN 'connector'
                WHEN grouping(k.campaign) = 0 THEN 'campaign' ELSE 'sender' END AS scope,
           k.connector, k.account,
           CASE WHEN grouping(k.operator) = 0 THEN k.operator::integer WHEN grouping(k.campaign) = 0 THEN k.campaign
                WHEN grouping(k.sender) = 0 THEN k.sender END AS number,
           c.quarter,
           sum(c.accepted) AS accepted, sum(c.sent) AS sent, sum(c.d5m) AS d5m, sum(c.d1h) AS d1h,
           coalesce(sum(c.accepted) FILTER (WHERE k.category <> 0), 0) AS others_accepted,
           coalesce(sum(c.sent) FILTER (WHERE k.category <> 0), 0) AS others_sent,
           coalesce(sum(c.d5m) FILTER (WHERE k.category <> 0), 0) AS others_d5m,
           coalesce(sum(c.d1h) FILTER (WHERE k.category <> 0), 0) AS others_d1h
    FROM rollup_cell AS c
    JOIN rollup_key AS k ON k.id = c.key
    WHERE c.quarter = ANY($1::integer[]) AND k.connector > 0
    GROUP BY GROUPING SETS (
        (k.connector, c.quarter), (k.connector, k.operator, c.quarter),
        (k.account, k.campaign, c.quarter), (k.account, k.sender, c.quarter)
    )
), busiest AS (
    SELECT scope, connector, account, number
    FROM counted
    WHERE scope = 'connector' OR number > 0
    GROUP BY scope, connector, account, number
    ORDER BY sum(accepted) DESC, scope, connector, account, number
    LIMIT $2
)
SELECT counted.*
FROM counted
JOIN busiest AS b ON b.scope = counted.scope AND b.connector IS NOT DISTINCT FROM counted.connector
 AND b.account IS NOT DISTINCT FROM counted.account AND b.number IS NOT DISTINCT FROM counted.number;

-- name: anomaly_spreads
-- Of one day, for each key, the sums from which it is found how much its windows differ from each other by nature.
WITH counted AS (
    SELECT CASE WHEN grouping(k.operator) = 0 THEN 'operator' WHEN grouping(k.connector) = 0 THEN 'connector'
                WHEN grouping(k.campaign) = 0 THEN 'campaign' ELSE 'sender' END AS scope,
           k.connector, k.account,
           CASE WHEN grouping(k.operator) = 0 THEN k.operator::integer WHEN grouping(k.campaign) = 0 THEN k.campaign
                WHEN grouping(k.sender) = 0 THEN k.sender END AS number,
           c.quarter, sum(c.sent)::float8 AS sent,
           least(sum(c.d5m), sum(c.sent))::float8 AS d5m, least(sum(c.d1h), sum(c.sent))::float8 AS d1h
    FROM rollup_cell AS c
    JOIN rollup_key AS k ON k.id = c.key
    WHERE c.quarter >= $1 AND c.quarter < $2 AND k.connector > 0
    GROUP BY GROUPING SETS (
        (k.connector, c.quarter), (k.connector, k.operator, c.quarter),
        (k.account, k.campaign, c.quarter), (k.account, k.sender, c.quarter)
    )
    HAVING sum(c.sent) > 0
)
SELECT scope, connector, account, number, count(*) AS windows, sum(sent)::bigint AS sent,
       sum(d5m)::bigint AS d5m, sum(d5m * d5m / sent) AS d5m_squares,
       sum(d1h)::bigint AS d1h, sum(d1h * d1h / sent) AS d1h_squares
FROM counted
WHERE scope = 'connector' OR number > 0
GROUP BY scope, connector, account, number
ORDER BY sum(sent) DESC
LIMIT $3;

-- name: anomaly_reasons
-- Messages of these quarters that failed, by connector and reason.
SELECT k.connector, r.reason, r.quarter, sum(r.messages) AS messages
FROM rollup_reason AS r
JOIN rollup_key AS k ON k.id = r.key
WHERE r.quarter = ANY($1::integer[]) AND k.connector > 0 AND r.reason > 0 AND r.status BETWEEN 20 AND 70
GROUP BY k.connector, r.reason, r.quarter;

-- name: anomaly_reason_spreads
-- As anomaly_spreads, of each reason on each connector. Windows without it are those of the connector.
WITH failed AS (
    SELECT k.connector, r.reason, r.quarter, sum(r.messages)::float8 AS messages
    FROM rollup_reason AS r
    JOIN rollup_key AS k ON k.id = r.key
    WHERE r.quarter >= $1 AND r.quarter < $2 AND k.connector > 0 AND r.reason > 0 AND r.status BETWEEN 20 AND 70
    GROUP BY k.connector, r.reason, r.quarter
), sent AS (
    SELECT k.connector, c.quarter, sum(c.sent)::float8 AS sent
    FROM rollup_cell AS c
    JOIN rollup_key AS k ON k.id = c.key
    WHERE c.quarter >= $1 AND c.quarter < $2 AND k.connector > 0
    GROUP BY k.connector, c.quarter
    HAVING sum(c.sent) > 0
)
SELECT f.connector, f.reason, sum(least(f.messages, s.sent))::bigint AS messages,
       sum(least(f.messages, s.sent) ^ 2 / s.sent) AS squares
FROM failed AS f
JOIN sent AS s ON s.connector = f.connector AND s.quarter = f.quarter
GROUP BY f.connector, f.reason;

-- name: anomaly_latencies
-- Histograms of these quarters, a bucket a row.
SELECT l.connector, l.kind, l.quarter, b.bucket, sum(b.count) AS messages
FROM rollup_latency AS l
CROSS JOIN LATERAL unnest(l.buckets, l.counts) AS b (bucket, count)
WHERE l.quarter = ANY($1::integer[]) AND l.connector > 0
GROUP BY l.connector, l.kind, l.quarter, b.bucket;

-- name: anomaly_latency_day
-- The histograms of one day in sum.
SELECT l.connector, l.kind, b.bucket, sum(b.count) AS messages
FROM rollup_latency AS l
CROSS JOIN LATERAL unnest(l.buckets, l.counts) AS b (bucket, count)
WHERE l.quarter >= $1 AND l.quarter < $2 AND l.connector > 0
GROUP BY l.connector, l.kind, b.bucket;

-- name: anomaly_latency_spreads
-- Of one day: how many of each window took longer than the bucket given for its connector and kind.
WITH counted AS (
    SELECT l.connector, l.kind, l.quarter, sum(b.count)::float8 AS whole,
           coalesce(sum(b.count) FILTER (WHERE b.bucket > t.bucket), 0)::float8 AS part
    FROM rollup_latency AS l
    JOIN unnest($3::smallint[], $4::smallint[], $5::integer[]) AS t (connector, kind, bucket)
      ON t.connector = l.connector AND t.kind = l.kind
    CROSS JOIN LATERAL unnest(l.buckets, l.counts) AS b (bucket, count)
    WHERE l.quarter >= $1 AND l.quarter < $2
    GROUP BY l.connector, l.kind, l.quarter
)
SELECT connector, kind, count(*) AS windows, sum(part)::bigint AS part, sum(whole)::bigint AS whole,
       sum(part * part / whole) AS squares
FROM counted
GROUP BY connector, kind;

-- name: anomaly_complaints
-- Complaints from one id on, and in how many before from another one on.
SELECT scope, connector, account, name, count(*) FILTER (WHERE id >= $2) AS now, count(*) FILTER (WHERE id < $2) AS before
FROM (
    SELECT 'connector' AS scope, connector, NULL::smallint AS account, NULL::text AS name, id
    FROM complaint WHERE id >= $1 AND id < $3 AND connector > 0
    UNION ALL
    SELECT 'sender', NULL, account, sender, id FROM complaint WHERE id >= $1 AND id < $3 AND sender <> ''
    UNION ALL
    SELECT 'campaign', NULL, account, campaign_id, id FROM complaint WHERE id >= $1 AND id < $3 AND campaign_id IS NOT NULL
) AS told
GROUP BY scope, connector, account, name
HAVING count(*) FILTER (WHERE id >= $2) > 0
ORDER BY count(*) FILTER (WHERE id >= $2) DESC
LIMIT $4;

-- name: anomaly_names
SELECT id, name FROM rollup_name WHERE id = ANY($1::integer[]);

-- name: anomaly_last_told
-- When each key was told last, from an id on.
SELECT scope, subject, max(id) AS id FROM anomaly WHERE id >= $1 GROUP BY scope, subject;

-- name: anomaly_put
INSERT INTO anomaly (id, detector, scope, subject, account, about, began_at, finding)
SELECT id, detector, scope, subject, account, about, began_at, finding::jsonb
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::timestamptz[], $8::text[])
    AS new (id, detector, scope, subject, account, about, began_at, finding);

-- name: anomaly_opened
-- What was told of this key ($1, $2) about the time from $3 on; $4 is the first id of that time.
UPDATE anomaly SET opened = true WHERE id >= $4 AND scope = $1 AND subject = $2 AND began_at = $3;

-- name: anomalies_listed
-- The latest first, behind an id.
SELECT id, detector, scope, subject, about, began_at, finding, opened
FROM anomaly
WHERE ($1::bigint IS NULL OR id < $1) AND ($2::text IS NULL OR detector = $2) AND ($3::text IS NULL OR scope = $3)
  AND ($4::text IS NULL OR subject = $4) AND ($5::bigint IS NULL OR id >= $5)
ORDER BY id DESC
LIMIT $6;

-- name: anomaly_forget
DELETE FROM anomaly WHERE id IN (SELECT id FROM anomaly WHERE id < $1 ORDER BY id LIMIT $2);
