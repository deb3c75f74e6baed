-- name: message_counts
-- Outcomes of the messages with $1 <= id < $2, grouped by the keys whose flag is true. A message is what its parts
-- fold to, as dlr/status.py does it. It is unconfirmed while a part is; else its highest-ranking failure; else open
-- while a part is; else delivered.
-- `code` carries status and reason through one max(): status * 256 + reason. What still has an outbox row, or no
-- submission row, or an open part, is pending. Of several ways (dlr/ways.py) only one counts. What went to the sandbox (connector -1) is in no report.
-- $6 and on: the flags of the keys. $18: the first quarter of each unit of time, as in rolled_counts. At most $19 groups.
-- By tag, a message counts under each of its tags, and one without tags under none.
WITH part AS (
    SELECT message_id, part, max(parts) FILTER (WHERE NOT replaced) AS parts,
           max(status::int * 256 + reason) FILTER (WHERE NOT replaced) AS code,
           bool_or(submitted_at IS NOT NULL OR status IN (5, 15)) AS sent,
           max(receipt_at) FILTER (WHERE NOT replaced) AS receipt_at,
           count(*) AS submits, max(connector) AS connector
    FROM submission
    WHERE id >= $1 AND message_id >= $1 AND message_id < $2
    GROUP BY message_id, part
), folded AS (
    SELECT message_id,
           bool_or(sent) AS sent,
           max(receipt_at) AS receipt_at,
           sum(submits) AS submits,
           max(connector) AS connector,
           bool_or(code / 256 = 5) AS unconfirmed,
           max(code) FILTER (WHERE code / 256 NOT IN (5, 10, 60)) AS failure,
           count(*) FILTER (WHERE code / 256 = 60) = max(parts) AS delivered
    FROM part
    GROUP BY message_id
), canceled AS (
    -- Of canceled batches, what no intent names: it will not be sent, and its rows are only being cleared away. What was
    -- submitted already, in part or in doubt, is told by its result.
    SELECT o.id
    FROM batch_control AS b
    JOIN outbox AS o ON o.batch_id = b.id
    WHERE b.live AND b.state = 2 AND NOT o.in_doubt
      AND o.id NOT IN (SELECT unnest(message_ids) FROM submit_intent)
      AND o.id NOT IN (SELECT message_id FROM part WHERE part > 0)
), outcome AS (
    SELECT m.id, m.account, m.category, m.connector AS first_choice, f.submits, f.connector AS sole_connector, m.sender, m.country, m.operator, m.campaign_id, m.variant, m.tags,
           m.batch_id,
           ((m.id >> 22) / 1000 + $20) / 900 AS quarter,
           coalesce(f.sent, false) AS sent,
           coalesce(f.receipt_at > m.expires_at, false) AS late,
           CASE
               WHEN c.id IS NOT NULL THEN 73
               WHEN o.id IS NOT NULL OR f.message_id IS NULL THEN 10
               WHEN f.unconfirmed THEN 5
               WHEN f.failure IS NOT NULL THEN f.failure / 256
               WHEN f.delivered THEN 60
               ELSE 10
           END AS status,
           CASE
               WHEN o.id IS NOT NULL OR f.unconfirmed THEN 0
               ELSE coalesce(f.failure % 256, 0)
           END AS reason
    FROM message AS m
    LEFT JOIN folded AS f ON f.message_id = m.id
    LEFT JOIN outbox AS o ON o.id = m.id
    LEFT JOIN canceled AS c ON c.id = m.id
    WHERE m.id >= $1 AND m.id < $2 AND m.connector <> -1
      AND ($3::smallint IS NULL OR m.account = $3)
      AND ($4::text IS NULL OR m.campaign_id = $4)
      AND ($5::bigint IS NULL OR m.batch_id = $5)
), decided AS (
    -- The submission that decided: with the message's status, of the highest reason, the earliest receipt, the lowest id.
    SELECT DISTINCT ON (s.message_id) s.message_id, s.connector
    FROM submission AS s
    JOIN outcome AS o ON o.id = s.message_id AND o.submits > 1
    WHERE $8 AND s.id >= $1 AND s.message_id >= $1 AND s.message_id < $2
    ORDER BY s.message_id, s.replaced, s.status = o.status DESC, s.status DESC, s.reason DESC, s.receipt_at, s.id
)
SELECT CASE WHEN $6::boolean THEN account END AS account,
       CASE WHEN $7::boolean THEN category END AS category,
       CASE WHEN $8::boolean THEN
           coalesce(nullif(CASE WHEN submits = 1 THEN sole_connector ELSE d.connector END, 0), first_choice)
       END AS connector,
       CASE WHEN $9::boolean THEN sender END AS sender,
       CASE WHEN $10::boolean THEN country END AS country,
       CASE WHEN $11::boolean THEN operator END AS operator,
       CASE WHEN $12::boolean THEN campaign_id END AS campaign,
       CASE WHEN $13::boolean THEN variant END AS variant,
       tag.name AS tag,
       CASE WHEN $15::boolean THEN batch_id END AS batch,
       CASE WHEN $16::boolean THEN reason END AS reason,
       CASE WHEN $17::boolean THEN width_bucket(quarter, $18::bigint[]) - 1 END AS unit,
       count(*) AS accepted,
       count(*) FILTER (WHERE sent) AS sent,
       count(*) FILTER (WHERE status = 60) AS delivered,
       count(*) FILTER (WHERE status = 50) AS undelivered,
       count(*) FILTER (WHERE status = 30) AS expired,
       count(*) FILTER (WHERE status = 40) AS rejected,
       count(*) FILTER (WHERE status = 20) AS unknown,
       count(*) FILTER (WHERE status IN (15, 70)) AS failed,
       count(*) FILTER (WHERE status = 71) AS suppressed,
       count(*) FILTER (WHERE status = 72) AS capped,
       count(*) FILTER (WHERE status = 73) AS canceled,
       count(*) FILTER (WHERE status = 5) AS unconfirmed,
       count(*) FILTER (WHERE late) AS late
FROM outcome AS o
LEFT JOIN decided AS d ON d.message_id = o.id
CROSS JOIN LATERAL (
    SELECT NULL AS name WHERE NOT $14::boolean
    UNION ALL
    SELECT DISTINCT unnest(tags) WHERE $14
) AS tag
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
LIMIT $19;

-- name: messages_within
-- How many messages have ids from $1 to below $2, as far as $3; of an account only, where $4 names one.
SELECT count(*) FROM (
    SELECT FROM message
    WHERE id >= $1 AND id < $2 AND connector <> -1 AND ($4::smallint IS NULL OR account = $4)
    LIMIT $3
) AS one_each;

-- name: message_failures
-- What the carriers said of an account's ($3) messages with $1 <= id < $2 that were not delivered. A message has the word
-- of the submission that decided: of its parts as they stand, the failure of the highest rank.
WITH part AS (
    SELECT DISTINCT ON (message_id, part) message_id, id, status, reason, error, connector, receipt_at
    FROM submission
    WHERE id >= $1 AND message_id >= $1 AND message_id < $2 AND account = $3 AND NOT replaced
    ORDER BY message_id, part, status DESC, reason DESC, receipt_at, id
), decided AS (
    SELECT DISTINCT ON (message_id) message_id, status, reason, error, connector
    FROM part
    WHERE status NOT IN (10, 60)
    ORDER BY message_id, (status = 5) DESC, status DESC, reason DESC, receipt_at, id
)
SELECT coalesce(nullif(d.connector, 0), m.connector) AS connector, d.status, d.reason, d.error, count(*) AS messages
FROM decided AS d
JOIN message AS m ON m.id = d.message_id
WHERE d.status BETWEEN 20 AND 50 AND m.id >= $1 AND m.id < $2 AND m.connector <> -1
  AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.id = d.message_id)
GROUP BY 1, 2, 3, 4;

-- name: message_latency
-- Milliseconds of an account's ($3) messages with $1 <= id < $2 from acceptance to the last answer, and from the last
-- submit to the last receipt. $4: the milliseconds of the ids' epoch.
SELECT category,
       CASE
           WHEN count(DISTINCT part) FILTER (WHERE responded_at IS NOT NULL) = max(parts)
           THEN extract(epoch FROM max(responded_at)) * 1000 - ((message_id >> 22) + $4)
       END::float8 AS answer,
       CASE
           WHEN count(DISTINCT part) FILTER (WHERE receipt_at IS NOT NULL) = max(parts)
           THEN extract(epoch FROM max(receipt_at) - max(submitted_at)) * 1000
       END::float8 AS receipt
FROM submission
WHERE id >= $1 AND message_id >= $1 AND message_id < $2 AND account = $3 AND part > 0
  AND NOT replaced
  AND NOT EXISTS (SELECT FROM message AS m WHERE m.id >= $1 AND m.id < $2 AND m.id = message_id AND m.connector = -1)
  AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.id = message_id)
GROUP BY message_id, category;
