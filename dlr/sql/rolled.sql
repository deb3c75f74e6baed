-- name: rolled_below
-- Up to where messages are counted.
SELECT cursor FROM rollup_state;

-- name: days_not_final
-- How many of the days $1 to $2 have messages that may still change.
SELECT count(*)
FROM generate_series($1::integer, $2::integer) AS d (day)
LEFT JOIN rollup_day_state AS s ON s.day = d.day
WHERE NOT coalesce(s.final, false);

-- name: rolled_names
SELECT id, name FROM rollup_name WHERE id = ANY($1::integer[]);

-- name: rolled_counts
-- Outcomes of an account's messages ($1), from the days [$2, $3) and the quarters [$4, $5) and [$6, $7). They are
-- grouped by the keys whose flag is true ($8 and on). Units of time begin with the quarters $16, and are counted from 0.
-- A day is in the unit of its first quarter. At most $17 groups.
WITH by_quarter AS (
    -- Units are looked up for the few quarters that are left, and not for each row.
    SELECT CASE WHEN $8::boolean THEN k.account END AS account,
           CASE WHEN $9::boolean THEN k.category END AS category,
           CASE WHEN $10::boolean THEN k.connector END AS connector,
           CASE WHEN $11::boolean THEN k.sender END AS sender,
           CASE WHEN $12::boolean THEN k.country END AS country,
           CASE WHEN $13::boolean THEN k.operator END AS operator,
           CASE WHEN $14::boolean THEN k.campaign END AS campaign,
           CASE WHEN $15::boolean THEN k.variant END AS variant,
           CASE WHEN $16::integer[] IS NOT NULL THEN c.day * 96 END AS quarter,
           sum(accepted) AS accepted, sum(sent) AS sent, sum(delivered) AS delivered, sum(undelivered) AS undelivered,
           sum(expired) AS expired, sum(rejected) AS rejected, sum(unknown) AS unknown, sum(failed) AS failed,
           sum(suppressed) AS suppressed, sum(capped) AS capped, sum(canceled) AS canceled,
           sum(unconfirmed) AS unconfirmed, sum(late) AS late
    FROM rollup_day AS c
    JOIN rollup_key AS k ON k.id = c.key
    WHERE c.day >= $2 AND c.day < $3 AND k.account = $1
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
    UNION ALL
    SELECT CASE WHEN $8::boolean THEN k.account END AS account,
           CASE WHEN $9::boolean THEN k.category END AS category,
           CASE WHEN $10::boolean THEN k.connector END AS connector,
           CASE WHEN $11::boolean THEN k.sender END AS sender,
           CASE WHEN $12::boolean THEN k.country END AS country,
           CASE WHEN $13::boolean THEN k.operator END AS operator,
           CASE WHEN $14::boolean THEN k.campaign END AS campaign,
           CASE WHEN $15::boolean THEN k.variant END AS variant,
           CASE WHEN $16::integer[] IS NOT NULL THEN c.quarter END AS quarter,
           sum(accepted) AS accepted, sum(sent) AS sent, sum(delivered) AS delivered, sum(undelivered) AS undelivered,
           sum(expired) AS expired, sum(rejected) AS rejected, sum(unknown) AS unknown, sum(failed) AS failed,
           sum(suppressed) AS suppressed, sum(capped) AS capped, sum(canceled) AS canceled,
           sum(unconfirmed) AS unconfirmed, sum(late) AS late
    FROM rollup_cell AS c
    JOIN rollup_key AS k ON k.id = c.key
    WHERE (c.quarter >= $4 AND c.quarter < $5 OR c.quarter >= $6 AND c.quarter < $7) AND k.account = $1
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
)
SELECT account, category, connector, sender, country, operator, campaign, variant,
       CASE WHEN $16::integer[] IS NOT NULL THEN width_bucket(quarter, $16::integer[]) - 1 END AS unit,
       sum(accepted) AS accepted, sum(sent) AS sent, sum(delivered) AS delivered, sum(undelivered) AS undelivered,
       sum(expired) AS expired, sum(rejected) AS rejected, sum(unknown) AS unknown, sum(failed) AS failed,
       sum(suppressed) AS suppressed, sum(capped) AS capped, sum(canceled) AS canceled,
       sum(unconfirmed) AS unconfirmed, sum(late) AS late
FROM by_quarter
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
HAVING sum(accepted) > 0
LIMIT $17;

-- name: rolled_moved
-- The same of single quarters ($2), each with two units. Its own is among those that begin with $11. That in which its day
-- is counted is among $12.
WITH by_quarter AS (
    SELECT CASE WHEN $3::boolean THEN k.account END AS account,
           CASE WHEN $4::boolean THEN k.category END AS category,
           CASE WHEN $5::boolean THEN k.connector END AS connector,
           CASE WHEN $6::boolean THEN k.sender END AS sender,
           CASE WHEN $7::boolean THEN k.country END AS country,
           CASE WHEN $8::boolean THEN k.operator END AS operator,
           CASE WHEN $9::boolean THEN k.campaign END AS campaign,
           CASE WHEN $10::boolean THEN k.variant END AS variant,
           c.quarter,
           sum(accepted) AS accepted, sum(sent) AS sent, sum(delivered) AS delivered, sum(undelivered) AS undelivered,
           sum(expired) AS expired, sum(rejected) AS rejected, sum(unknown) AS unknown, sum(failed) AS failed,
           sum(suppressed) AS suppressed, sum(capped) AS capped, sum(canceled) AS canceled,
           sum(unconfirmed) AS unconfirmed, sum(late) AS late
    FROM rollup_cell AS c
    JOIN rollup_key AS k ON k.id = c.key
    WHERE c.quarter = ANY($2::integer[]) AND k.account = $1
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
)
SELECT account, category, connector, sender, country, operator, campaign, variant,
       width_bucket(quarter, $11::integer[]) - 1 AS unit, width_bucket(quarter / 96 * 96, $12::integer[]) - 1 AS counted,
       sum(accepted) AS accepted, sum(sent) AS sent, sum(delivered) AS delivered, sum(undelivered) AS undelivered,
       sum(expired) AS expired, sum(rejected) AS rejected, sum(unknown) AS unknown, sum(failed) AS failed,
       sum(suppressed) AS suppressed, sum(capped) AS capped, sum(canceled) AS canceled,
       sum(unconfirmed) AS unconfirmed, sum(late) AS late
FROM by_quarter
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
LIMIT $13;

-- name: rolled_reasons
-- The same of messages that have a reason, by reason and status, from the quarters [$2, $3).
SELECT CASE WHEN $4::boolean THEN k.account END AS account,
       CASE WHEN $5::boolean THEN k.category END AS category,
       CASE WHEN $6::boolean THEN k.connector END AS connector,
       CASE WHEN $7::boolean THEN k.sender END AS sender,
       CASE WHEN $8::boolean THEN k.country END AS country,
       CASE WHEN $9::boolean THEN k.operator END AS operator,
       CASE WHEN $10::boolean THEN k.campaign END AS campaign,
       CASE WHEN $11::boolean THEN k.variant END AS variant,
       CASE WHEN $12::integer[] IS NOT NULL THEN width_bucket(r.quarter, $12::integer[]) - 1 END AS unit,
       r.reason, r.status, sum(r.messages) AS messages, sum(r.sent) AS sent
FROM rollup_reason AS r
JOIN rollup_key AS k ON k.id = r.key
WHERE r.quarter >= $2 AND r.quarter < $3 AND r.reason <> 0 AND k.account = $1
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
HAVING sum(r.messages) > 0
LIMIT $13;

-- name: rolled_tags
-- The same by tag, from the quarters [$2, $3).
SELECT CASE WHEN $4::boolean THEN account END AS account,
       CASE WHEN $5::boolean THEN category END AS category,
       CASE WHEN $6::integer[] IS NOT NULL THEN width_bucket(quarter, $6::integer[]) - 1 END AS unit,
       tag,
       sum(accepted) AS accepted, sum(sent) AS sent, sum(delivered) AS delivered, sum(undelivered) AS undelivered,
       sum(expired) AS expired, sum(rejected) AS rejected, sum(unknown) AS unknown, sum(failed) AS failed,
       sum(suppressed) AS suppressed, sum(capped) AS capped, sum(canceled) AS canceled,
       sum(unconfirmed) AS unconfirmed, sum(late) AS late
FROM rollup_tag
WHERE quarter >= $2 AND quarter < $3 AND account = $1
GROUP BY 1, 2, 3, 4
HAVING sum(accepted) > 0
LIMIT $7;

-- name: rolled_failures
-- What the carriers said of an account's messages that were not delivered, from the quarters [$2, $3).
SELECT k.connector, r.status, r.reason, r.code, sum(r.messages) AS messages
FROM rollup_reason AS r
JOIN rollup_key AS k ON k.id = r.key
WHERE r.quarter >= $2 AND r.quarter < $3 AND k.account = $1 AND r.status BETWEEN 20 AND 50
GROUP BY 1, 2, 3, 4
HAVING sum(r.messages) > 0
LIMIT $4;

-- name: rolled_latency
-- Histograms of an account's messages from the days [$2, $3) and the quarters [$4, $5) and [$6, $7), added up.
SELECT kind, category, bucket, sum(messages) AS messages
FROM (
    SELECT kind, category, unnest(buckets) AS bucket, unnest(counts) AS messages
    FROM rollup_latency_day
    WHERE day >= $2 AND day < $3 AND account = $1
    UNION ALL
    SELECT kind, category, unnest(buckets), unnest(counts)
    FROM rollup_latency
    WHERE quarter >= $4 AND quarter < $5 AND account = $1
    UNION ALL
    SELECT kind, category, unnest(buckets), unnest(counts)
    FROM rollup_latency
    WHERE quarter >= $6 AND quarter < $7 AND account = $1
) AS counted
GROUP BY kind, category, bucket
HAVING sum(messages) > 0;

-- name: rolled_cohorts
-- What was sent and delivered of the quarters [$1, $2), by connector, of all accounts.
SELECT k.connector, sum(c.sent)::bigint AS sent, sum(c.delivered)::bigint AS delivered
FROM rollup_cell AS c
JOIN rollup_key AS k ON k.id = c.key
WHERE c.quarter >= $1 AND c.quarter < $2 AND k.connector <> 0
GROUP BY k.connector
HAVING sum(c.sent) > 0;
