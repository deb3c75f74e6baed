-- name: rollup_cells_add
-- Adds what was folded to cells and days. From the quarters $1 <= quarter < $2 it takes away what is there. So they
-- become what was folded. Answers with the messages that were moved, and the rows that were changed.
WITH grouped AS (
    SELECT f.quarter, f.account, f.category, f.connector, f.sender, f.country, f.operator, f.campaign, f.variant, f.key,
           sum(f.weight) AS accepted,
           sum(f.weight) FILTER (WHERE f.flags & 8 > 0) AS sent,
           sum(f.parts) AS parts,
           sum(f.weight) FILTER (WHERE f.status = 60) AS delivered,
           sum(f.weight) FILTER (WHERE f.status = 50) AS undelivered,
           sum(f.weight) FILTER (WHERE f.status = 30) AS expired,
           sum(f.weight) FILTER (WHERE f.status = 40) AS rejected,
           sum(f.weight) FILTER (WHERE f.status = 20) AS unknown,
           sum(f.weight) FILTER (WHERE f.status IN (15, 70)) AS failed,
           sum(f.weight) FILTER (WHERE f.status = 71) AS suppressed,
           sum(f.weight) FILTER (WHERE f.status = 72) AS capped,
           sum(f.weight) FILTER (WHERE f.status = 73) AS canceled,
           sum(f.weight) FILTER (WHERE f.status = 5) AS unconfirmed,
           sum(f.weight) FILTER (WHERE f.flags & 1 > 0) AS late,
           sum(f.weight) FILTER (WHERE f.flags & 2 > 0) AS d5m,
           sum(f.weight) FILTER (WHERE f.flags & 4 > 0) AS d1h
    FROM rollup_grouped AS f
    GROUP BY f.quarter, f.account, f.category, f.connector, f.sender, f.country, f.operator, f.campaign, f.variant,
             f.key
), told AS (
    SELECT f.quarter, coalesce(f.key, p.key) AS key,
           coalesce(f.accepted, 0) AS accepted, coalesce(f.sent, 0) AS sent, coalesce(f.parts, 0) AS parts,
           coalesce(f.delivered, 0) AS delivered, coalesce(f.undelivered, 0) AS undelivered,
           coalesce(f.expired, 0) AS expired, coalesce(f.rejected, 0) AS rejected,
           coalesce(f.unknown, 0) AS unknown, coalesce(f.failed, 0) AS failed,
           coalesce(f.suppressed, 0) AS suppressed, coalesce(f.capped, 0) AS capped,
           coalesce(f.canceled, 0) AS canceled, coalesce(f.unconfirmed, 0) AS unconfirmed,
           coalesce(f.late, 0) AS late, coalesce(f.d5m, 0) AS d5m, coalesce(f.d1h, 0) AS d1h
    FROM grouped AS f
    LEFT JOIN rollup_placed AS p
        ON f.key IS NULL AND p.quarter = f.quarter AND p.account = f.account AND p.category = f.category
        AND p.connector = f.connector AND p.sender = f.sender AND p.country = f.country AND p.operator = f.operator
        AND p.campaign = f.campaign AND p.variant = f.variant
    UNION ALL
    SELECT quarter, key,
           -accepted, -sent, -parts, -delivered, -undelivered, -expired, -rejected, -unknown, -failed, -suppressed,
           -capped, -canceled, -unconfirmed, -late, -d5m, -d1h
    FROM rollup_cell
    WHERE quarter >= $1 AND quarter < $2
), delta AS (
    SELECT quarter, key,
           sum(accepted)::int AS accepted, sum(sent)::int AS sent, sum(parts)::int AS parts,
           sum(delivered)::int AS delivered, sum(undelivered)::int AS undelivered, sum(expired)::int AS expired,
           sum(rejected)::int AS rejected, sum(unknown)::int AS unknown, sum(failed)::int AS failed,
           sum(suppressed)::int AS suppressed, sum(capped)::int AS capped, sum(canceled)::int AS canceled,
           sum(unconfirmed)::int AS unconfirmed, sum(late)::int AS late, sum(d5m)::int AS d5m, sum(d1h)::int AS d1h
    FROM told
    GROUP BY quarter, key
), changed AS (
    SELECT * FROM delta
    WHERE (accepted, sent, parts, delivered, undelivered, expired, rejected, unknown,
           failed, suppressed, capped, canceled, unconfirmed, late, d5m, d1h)
        <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
), cell AS (
    INSERT INTO rollup_cell AS c (
        quarter, key,
        accepted, sent, parts, delivered, undelivered, expired, rejected, unknown, failed, suppressed, capped,
        canceled, unconfirmed, late, d5m, d1h
    )
    SELECT quarter, key,
           accepted, sent, parts, delivered, undelivered, expired, rejected, unknown, failed, suppressed, capped,
           canceled, unconfirmed, late, d5m, d1h
    FROM changed
    ORDER BY quarter, key
    ON CONFLICT (quarter, key) DO UPDATE SET
        accepted = c.accepted + excluded.accepted, sent = c.sent + excluded.sent, parts = c.parts + excluded.parts,
        delivered = c.delivered + excluded.delivered, undelivered = c.undelivered + excluded.undelivered,
        expired = c.expired + excluded.expired, rejected = c.rejected + excluded.rejected,
        unknown = c.unknown + excluded.unknown, failed = c.failed + excluded.failed,
        suppressed = c.suppressed + excluded.suppressed, capped = c.capped + excluded.capped,
        canceled = c.canceled + excluded.canceled, unconfirmed = c.unconfirmed + excluded.unconfirmed,
        late = c.late + excluded.late, d5m = c.d5m + excluded.d5m, d1h = c.d1h + excluded.d1h
), day AS (
    INSERT INTO rollup_day AS d (
        day, key,
        accepted, sent, parts, delivered, undelivered, expired, rejected, unknown, failed, suppressed, capped,
        canceled, unconfirmed, late, d5m, d1h
    )
    SELECT quarter / 96, key,
           sum(accepted), sum(sent), sum(parts), sum(delivered), sum(undelivered), sum(expired), sum(rejected),
           sum(unknown), sum(failed), sum(suppressed), sum(capped), sum(canceled), sum(unconfirmed), sum(late),
           sum(d5m), sum(d1h)
    FROM changed
    GROUP BY quarter / 96, key
    ORDER BY quarter / 96, key
    ON CONFLICT (day, key) DO UPDATE SET
        accepted = d.accepted + excluded.accepted, sent = d.sent + excluded.sent, parts = d.parts + excluded.parts,
        delivered = d.delivered + excluded.delivered, undelivered = d.undelivered + excluded.undelivered,
        expired = d.expired + excluded.expired, rejected = d.rejected + excluded.rejected,
        unknown = d.unknown + excluded.unknown, failed = d.failed + excluded.failed,
        suppressed = d.suppressed + excluded.suppressed, capped = d.capped + excluded.capped,
        canceled = d.canceled + excluded.canceled, unconfirmed = d.unconfirmed + excluded.unconfirmed,
        late = d.late + excluded.late, d5m = d.d5m + excluded.d5m, d1h = d.d1h + excluded.d1h
)
SELECT count(*) AS rows,
       coalesce(sum(greatest(
           abs(accepted), abs(delivered), abs(undelivered), abs(expired), abs(rejected), abs(unknown), abs(failed),
           abs(suppressed), abs(capped), abs(canceled), abs(unconfirmed), 1
       )), 0) AS messages
FROM changed;

-- name: rollup_reasons_add
-- As rollup_cells_add. Answers with the rows that were changed.
WITH told AS (
    SELECT f.quarter, coalesce(f.key, p.key) AS key, f.status, f.reason,
           coalesce(f.code, CASE WHEN f.error = '' THEN 0 ELSE c.code END) AS code, f.weight AS messages,
           CASE WHEN f.flags & 8 > 0 THEN f.weight ELSE 0 END AS sent
    FROM rollup_grouped AS f
    LEFT JOIN rollup_placed AS p
        ON f.key IS NULL AND p.quarter = f.quarter AND p.account = f.account AND p.category = f.category
        AND p.connector = f.connector AND p.sender = f.sender AND p.country = f.country AND p.operator = f.operator
        AND p.campaign = f.campaign AND p.variant = f.variant
    LEFT JOIN rollup_coded AS c
        ON f.key IS NULL AND c.day = f.quarter / 96 AND c.connector = f.connector AND c.error = f.error
    WHERE f.status NOT IN (5, 10, 60)
    UNION ALL
    SELECT quarter, key, status, reason, code, -messages, -sent
    FROM rollup_reason
    WHERE quarter >= $1 AND quarter < $2
), delta AS (
    SELECT quarter, key, status, reason, code, sum(messages)::int AS messages, sum(sent)::int AS sent
    FROM told
    GROUP BY quarter, key, status, reason, code
    HAVING sum(messages) <> 0 OR sum(sent) <> 0
), reason AS (
    INSERT INTO rollup_reason AS r (quarter, key, status, reason, code, messages, sent)
    SELECT quarter, key, status, reason, code, messages, sent
    FROM delta
    ON CONFLICT (quarter, key, status, reason, code)
    DO UPDATE SET messages = r.messages + excluded.messages, sent = r.sent + excluded.sent
)
SELECT count(*) AS rows FROM delta;

-- name: rollup_tags_add
-- As rollup_cells_add. A message is counted once under each of its tags, and once under all that are left over.
WITH named AS (
    SELECT f.quarter, f.account, f.category, numbers.tag, f.weight, f.parts, f.flags, f.status
    FROM rollup_folded AS f
    CROSS JOIN LATERAL (
        SELECT unnest(f.tag_numbers) AS tag
        UNION
        SELECT t.number
        FROM unnest(f.tags) AS given (tag)
        JOIN rollup_tagged AS t ON t.day = f.quarter / 96 AND t.account = f.account AND t.tag = given.tag
    ) AS numbers
    WHERE f.tags IS NOT NULL OR f.tag_numbers IS NOT NULL
), told AS (
    SELECT f.quarter, f.account, f.category, f.tag,
           sum(f.weight) AS accepted,
           sum(f.weight) FILTER (WHERE f.flags & 8 > 0) AS sent,
           sum(f.weight * f.parts) AS parts,
           sum(f.weight) FILTER (WHERE f.status = 60) AS delivered,
           sum(f.weight) FILTER (WHERE f.status = 50) AS undelivered,
           sum(f.weight) FILTER (WHERE f.status = 30) AS expired,
           sum(f.weight) FILTER (WHERE f.status = 40) AS rejected,
           sum(f.weight) FILTER (WHERE f.status = 20) AS unknown,
           sum(f.weight) FILTER (WHERE f.status IN (15, 70)) AS failed,
           sum(f.weight) FILTER (WHERE f.status = 71) AS suppressed,
           sum(f.weight) FILTER (WHERE f.status = 72) AS capped,
           sum(f.weight) FILTER (WHERE f.status = 73) AS canceled,
           sum(f.weight) FILTER (WHERE f.status = 5) AS unconfirmed,
           sum(f.weight) FILTER (WHERE f.flags & 1 > 0) AS late,
           sum(f.weight) FILTER (WHERE f.flags & 2 > 0) AS d5m,
           sum(f.weight) FILTER (WHERE f.flags & 4 > 0) AS d1h
    FROM named AS f
    GROUP BY f.quarter, f.account, f.category, f.tag
    UNION ALL
    SELECT quarter, account, category, tag,
           -accepted, -sent, -parts, -delivered, -undelivered, -expired, -rejected, -unknown, -failed, -suppressed,
           -capped, -canceled, -unconfirmed, -late, -d5m, -d1h
    FROM rollup_tag
    WHERE quarter >= $1 AND quarter < $2
), delta AS (
    SELECT quarter, account, category, tag,
           coalesce(sum(accepted), 0)::int AS accepted, coalesce(sum(sent), 0)::int AS sent,
           coalesce(sum(parts), 0)::int AS parts, coalesce(sum(delivered), 0)::int AS delivered,
           coalesce(sum(undelivered), 0)::int AS undelivered, coalesce(sum(expired), 0)::int AS expired,
           coalesce(sum(rejected), 0)::int AS rejected, coalesce(sum(unknown), 0)::int AS unknown,
           coalesce(sum(failed), 0)::int AS failed, coalesce(sum(suppressed), 0)::int AS suppressed,
           coalesce(sum(capped), 0)::int AS capped, coalesce(sum(canceled), 0)::int AS canceled,
           coalesce(sum(unconfirmed), 0)::int AS unconfirmed, coalesce(sum(late), 0)::int AS late,
           coalesce(sum(d5m), 0)::int AS d5m, coalesce(sum(d1h), 0)::int AS d1h
    FROM told
    GROUP BY quarter, account, category, tag
), changed AS (
    SELECT * FROM delta
    WHERE (accepted, sent, parts, delivered, undelivered, expired, rejected, unknown,
           failed, suppressed, capped, canceled, unconfirmed, late, d5m, d1h)
        <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
), tag AS (
    INSERT INTO rollup_tag AS t (
        quarter, account, category, tag,
        accepted, sent, parts, delivered, undelivered, expired, rejected, unknown, failed, suppressed, capped,
        canceled, unconfirmed, late, d5m, d1h
    )
    SELECT quarter, account, category, tag,
           accepted, sent, parts, delivered, undelivered, expired, rejected, unknown, failed, suppressed, capped,
           canceled, unconfirmed, late, d5m, d1h
    FROM changed
    ON CONFLICT (quarter, account, category, tag) DO UPDATE SET
        accepted = t.accepted + excluded.accepted, sent = t.sent + excluded.sent, parts = t.parts + excluded.parts,
        delivered = t.delivered + excluded.delivered, undelivered = t.undelivered + excluded.undelivered,
        expired = t.expired + excluded.expired, rejected = t.rejected + excluded.rejected,
        unknown = t.unknown + excluded.unknown, failed = t.failed + excluded.failed,
        suppressed = t.suppressed + excluded.suppressed, capped = t.capped + excluded.capped,
        canceled = t.canceled + excluded.canceled, unconfirmed = t.unconfirmed + excluded.unconfirmed,
        late = t.late + excluded.late, d5m = t.d5m + excluded.d5m, d1h = t.d1h + excluded.d1h
)
SELECT count(*) AS rows FROM changed;

-- name: rollup_attempts_add
-- As rollup_cells_add.
WITH tried AS (
    SELECT quarter, account, category, attempt / 256 AS connector, attempt % 256 AS status, weight
    FROM rollup_grouped
    WHERE attempt IS NOT NULL
    UNION ALL
    SELECT f.quarter, f.account, f.category, one / 256, one % 256, f.weight
    FROM rollup_folded AS f
    CROSS JOIN LATERAL unnest(f.attempts) AS one
    WHERE f.attempts IS NOT NULL
), told AS (
    SELECT quarter, account, category, connector,
           sum(weight) AS attempts,
           sum(weight) FILTER (WHERE status = 60) AS delivered,
           sum(weight) FILTER (WHERE status = 50) AS undelivered,
           sum(weight) FILTER (WHERE status = 30) AS expired,
           sum(weight) FILTER (WHERE status = 40) AS rejected,
           sum(weight) FILTER (WHERE status = 20) AS unknown,
           sum(weight) FILTER (WHERE status IN (15, 70)) AS failed,
           sum(weight) FILTER (WHERE status = 5) AS unconfirmed
    FROM tried
    GROUP BY quarter, account, category, connector
    UNION ALL
    SELECT quarter, account, category, connector,
           -attempts, -delivered, -undelivered, -expired, -rejected, -unknown, -failed, -unconfirmed
    FROM rollup_attempt
    WHERE quarter >= $1 AND quarter < $2
), delta AS (
    SELECT quarter, account, category, connector,
           coalesce(sum(attempts), 0)::int AS attempts, coalesce(sum(delivered), 0)::int AS delivered,
           coalesce(sum(undelivered), 0)::int AS undelivered, coalesce(sum(expired), 0)::int AS expired,
           coalesce(sum(rejected), 0)::int AS rejected, coalesce(sum(unknown), 0)::int AS unknown,
           coalesce(sum(failed), 0)::int AS failed, coalesce(sum(unconfirmed), 0)::int AS unconfirmed
    FROM told
    GROUP BY quarter, account, category, connector
), changed AS (
    SELECT * FROM delta
    WHERE (attempts, delivered, undelivered, expired, rejected, unknown, failed, unconfirmed)
        <> (0, 0, 0, 0, 0, 0, 0, 0)
), attempt AS (
    INSERT INTO rollup_attempt AS a (
        quarter, account, category, connector,
        attempts, delivered, undelivered, expired, rejected, unknown, failed, unconfirmed
    )
    SELECT quarter, account, category, connector,
           attempts, delivered, undelivered, expired, rejected, unknown, failed, unconfirmed
    FROM changed
    ON CONFLICT (quarter, account, category, connector) DO UPDATE SET
        attempts = a.attempts + excluded.attempts, delivered = a.delivered + excluded.delivered,
        undelivered = a.undelivered + excluded.undelivered, expired = a.expired + excluded.expired,
        rejected = a.rejected + excluded.rejected, unknown = a.unknown + excluded.unknown,
        failed = a.failed + excluded.failed, unconfirmed = a.unconfirmed + excluded.unconfirmed
)
SELECT count(*) AS rows FROM changed;

-- name: rollup_latencies_add
-- As rollup_cells_add, for quarters and days. A histogram keeps only buckets that hold something.
WITH told AS (
    SELECT quarter, account, category, connector, 0::smallint AS kind, answer AS bucket, sum(weight) AS count
    FROM rollup_folded
    WHERE answer IS NOT NULL
    GROUP BY quarter, account, category, connector, answer
    UNION ALL
    SELECT quarter, account, category, connector, 1, receipt, sum(weight)
    FROM rollup_folded
    WHERE receipt IS NOT NULL
    GROUP BY quarter, account, category, connector, receipt
    UNION ALL
    SELECT quarter, account, category, connector, kind, unnest(buckets), -unnest(counts)
    FROM rollup_latency
    WHERE quarter >= $1 AND quarter < $2
), delta AS (
    SELECT quarter, account, category, connector, kind, bucket, sum(count) AS count
    FROM told
    GROUP BY quarter, account, category, connector, kind, bucket
    HAVING sum(count) <> 0
), touched AS (
    SELECT DISTINCT quarter, account, category, connector, kind FROM delta
), total AS (
    SELECT quarter, account, category, connector, kind, bucket, sum(count)::int AS count
    FROM (
        SELECT * FROM delta
        UNION ALL
        SELECT quarter, account, category, connector, kind, unnest(buckets), unnest(counts)
        FROM rollup_latency
        JOIN touched USING (quarter, account, category, connector, kind)
    ) AS both_of_them
    GROUP BY quarter, account, category, connector, kind, bucket
), packed AS (
    SELECT quarter, account, category, connector, kind,
           coalesce(array_agg(bucket ORDER BY bucket) FILTER (WHERE count <> 0), '{}') AS buckets,
           coalesce(array_agg(count ORDER BY bucket) FILTER (WHERE count <> 0), '{}') AS counts
    FROM total
    GROUP BY quarter, account, category, connector, kind
), latency AS (
    INSERT INTO rollup_latency (quarter, account, category, connector, kind, buckets, counts)
    SELECT quarter, account, category, connector, kind, buckets, counts FROM packed
    ON CONFLICT (quarter, account, category, connector, kind)
        DO UPDATE SET buckets = excluded.buckets, counts = excluded.counts
), day_delta AS (
    SELECT quarter / 96 AS day, account, category, connector, kind, bucket, sum(count) AS count
    FROM delta
    GROUP BY quarter / 96, account, category, connector, kind, bucket
), day_total AS (
    SELECT day, account, category, connector, kind, bucket, sum(count)::int AS count
    FROM (
        SELECT * FROM day_delta
        UNION ALL
        SELECT day, account, category, connector, kind, unnest(buckets), unnest(counts)
        FROM rollup_latency_day
        JOIN (SELECT DISTINCT day, account, category, connector, kind FROM day_delta) AS touched
            USING (day, account, category, connector, kind)
    ) AS both_of_them
    GROUP BY day, account, category, connector, kind, bucket
), day AS (
    INSERT INTO rollup_latency_day (day, account, category, connector, kind, buckets, counts)
    SELECT day, account, category, connector, kind,
           coalesce(array_agg(bucket ORDER BY bucket) FILTER (WHERE count <> 0), '{}'),
           coalesce(array_agg(count ORDER BY bucket) FILTER (WHERE count <> 0), '{}')
    FROM day_total
    GROUP BY day, account, category, connector, kind
    ON CONFLICT (day, account, category, connector, kind)
        DO UPDATE SET buckets = excluded.buckets, counts = excluded.counts
)
SELECT count(*) AS rows FROM touched;

-- name: rollup_watch_settled
-- Of what was folded again, what cannot change any more.
DELETE FROM rollup_watch AS w
USING rollup_folded AS f
WHERE w.message_id = f.id AND f.weight = -1
  AND NOT EXISTS (SELECT FROM rollup_folded AS now WHERE now.id = f.id AND now.weight = 1 AND NOT now.settled);

-- name: rollup_watch_cleared
DELETE FROM rollup_watch WHERE message_id >= $1 AND message_id < $2;

-- name: rollup_watch_put
INSERT INTO rollup_watch AS w
    (message_id, key, status, reason, code, parts, flags, answer, receipt, tags, attempts)
SELECT f.id, p.key, f.status, f.reason, CASE WHEN f.error = '' THEN 0 ELSE c.code END, f.parts, f.flags, f.answer,
       f.receipt,
       CASE
           WHEN f.tags IS NOT NULL THEN ARRAY(
               SELECT DISTINCT t.number
               FROM unnest(f.tags) AS given (tag)
               JOIN rollup_tagged AS t ON t.day = f.quarter / 96 AND t.account = f.account AND t.tag = given.tag
           )
       END,
       coalesce(f.attempts, CASE WHEN f.attempt IS NOT NULL THEN ARRAY[f.attempt] END)
FROM rollup_folded AS f
LEFT JOIN rollup_placed AS p
    ON f.key IS NULL AND p.quarter = f.quarter AND p.account = f.account AND p.category = f.category
    AND p.connector = f.connector AND p.sender = f.sender AND p.country = f.country AND p.operator = f.operator
    AND p.campaign = f.campaign AND p.variant = f.variant
LEFT JOIN rollup_coded AS c ON c.day = f.quarter / 96 AND c.connector = f.connector AND c.error = f.error
WHERE f.weight = 1 AND NOT f.settled
ON CONFLICT (message_id) DO UPDATE SET
    key = excluded.key, status = excluded.status, reason = excluded.reason, code = excluded.code,
    parts = excluded.parts, flags = excluded.flags, answer = excluded.answer, receipt = excluded.receipt,
    tags = excluded.tags, attempts = excluded.attempts;
