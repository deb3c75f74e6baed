-- name: delivery_counts
-- Outcomes of the messages with $1 <= id < $2, grouped by the keys whose flag is true. A message is what its parts
-- fold to, as dlr/status.py does it. It is unconfirmed while a part is; else its highest-ranking failure; else open
-- while a part is; else delivered.
-- `code` carries status and reason through one max(): status * 256 + reason. What still has an outbox row, or no
-- submission row, or an open part, is pending. What went to the sandbox (connector -1) is in no report.
-- A group's place is its key in the order asked for ($13: 1 = account, 2 = category, ...), nothing last. $14 is the place
-- that a page goes on behind. A group has one place whatever is counted meanwhile, so no page repeats or skips one.
WITH part AS (
    SELECT message_id, part, max(parts) AS parts, max(status::int * 256 + reason) AS code,
           bool_or(submitted_at IS NOT NULL OR status IN (5, 15)) AS sent
    FROM submission
    WHERE id >= $1 AND message_id >= $1 AND message_id < $2
    GROUP BY message_id, part
), folded AS (
    SELECT message_id,
           bool_or(sent) AS sent,
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
    SELECT m.account, m.category, m.connector, m.campaign_id, m.variant,
           (m.id >> 22) / 86400000 AS day,
           coalesce(f.sent, false) AS sent,
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
), grouped AS (
    SELECT CASE WHEN $6::boolean THEN account END AS account,
           CASE WHEN $7::boolean THEN category END AS category,
           CASE WHEN $8::boolean THEN connector END AS connector,
           CASE WHEN $9::boolean THEN campaign_id END AS campaign,
           CASE WHEN $10::boolean THEN variant END AS variant,
           CASE WHEN $11::boolean THEN reason END AS reason,
           CASE WHEN $12::boolean THEN day END AS day,
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
           count(*) FILTER (WHERE status = 10) AS pending
    FROM outcome
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), placed AS (
    SELECT grouped.*,
           ARRAY(
               SELECT coalesce(
                   '0' || (ARRAY[
                       lpad(account::text, 20, '0'), lpad(category::text, 20, '0'), lpad(connector::text, 20, '0'),
                       campaign, variant, lpad(reason::text, 20, '0'), lpad(day::text, 20, '0')
                   ])[named.key],
                   '1'
               )
               FROM unnest($13::integer[]) WITH ORDINALITY AS named (key, place)
               ORDER BY named.place
           ) AS place
    FROM grouped
)
SELECT * FROM placed
WHERE $14::text[] IS NULL OR place COLLATE "C" > $14
ORDER BY place COLLATE "C"
LIMIT $15;

-- name: failure_codes
-- Parts that failed, by what the carrier said, in the carrier's own words; of a message_payload, what a phone would
-- have got.
SELECT connector, status, reason, error, sum(segments) AS parts, sum(sum(segments)) OVER () AS parts_all
FROM submission
WHERE id >= $1 AND message_id >= $1 AND message_id < $2
  AND status BETWEEN 20 AND 70 AND status <> 60 AND connector <> -1
  AND part > 0 AND (responded_at IS NOT NULL OR receipt_at IS NOT NULL)  -- else it was we who said so
  AND ($3::smallint IS NULL OR account = $3)
GROUP BY connector, status, reason, error
ORDER BY parts DESC, connector, status, reason, error
LIMIT $4;

-- name: submit_latency
-- Seconds from acceptance (the time in the message's id; $5 = milliseconds of the ids' epoch) to the submit_sm of a part.
SELECT category, count(*) AS parts,
       percentile_cont($4::float8[]) WITHIN GROUP (
           ORDER BY greatest(
               0, extract(epoch FROM submitted_at)::float8 - ((message_id >> 22) + $5) / 1000.0::float8
           )
       ) AS seconds
FROM submission
WHERE id >= $1 AND message_id >= $1 AND message_id < $2 AND submitted_at IS NOT NULL AND connector <> -1
  AND ($3::smallint IS NULL OR account = $3)
GROUP BY category
ORDER BY category;

-- name: receipt_latency
-- Seconds from the submit_sm of a part to the receipt that decided it.
SELECT category, count(*) AS parts,
       percentile_cont($4::float8[]) WITHIN GROUP (
           ORDER BY greatest(0, extract(epoch FROM receipt_at - submitted_at)::float8)
       ) AS seconds
FROM submission
WHERE id >= $1 AND message_id >= $1 AND message_id < $2
  AND submitted_at IS NOT NULL AND receipt_at IS NOT NULL AND connector <> -1
  AND ($3::smallint IS NULL OR account = $3)
GROUP BY category
ORDER BY category;
