-- name: rollup_work_tables
-- As what each message of a merge is counted: one row to add, and of what was counted before one to take away (weight
-- -1). Of those, key, code and tag_numbers say as what. It is of this session, and empty after each transaction.
CREATE TEMPORARY TABLE IF NOT EXISTS rollup_folded (
    id bigint NOT NULL, weight integer NOT NULL, quarter integer NOT NULL, account smallint NOT NULL,
    category smallint NOT NULL, connector smallint NOT NULL, sender text NOT NULL, country smallint NOT NULL,
    operator smallint NOT NULL, campaign text NOT NULL, variant text NOT NULL, status smallint NOT NULL,
    reason smallint NOT NULL, error text NOT NULL, parts integer NOT NULL, flags integer NOT NULL,
    answer smallint, receipt smallint, tags text[], attempt integer, attempts integer[], settled boolean NOT NULL,
    key integer, code integer, tag_numbers integer[]
) ON COMMIT DELETE ROWS;
-- The same in sum, but for times and tags, and for what has several attempts.
CREATE TEMPORARY TABLE IF NOT EXISTS rollup_grouped (
    quarter integer NOT NULL, account smallint NOT NULL, category smallint NOT NULL, connector smallint NOT NULL,
    sender text NOT NULL, country smallint NOT NULL, operator smallint NOT NULL, campaign text NOT NULL,
    variant text NOT NULL, key integer, status smallint NOT NULL, reason smallint NOT NULL, error text NOT NULL,
    code integer, flags integer NOT NULL, attempt integer, weight bigint NOT NULL, parts bigint NOT NULL
) ON COMMIT DELETE ROWS;
-- Where a merge counts what it folded: the key of a cell, the number of a code and of a tag.
CREATE TEMPORARY TABLE IF NOT EXISTS rollup_placed (
    quarter integer NOT NULL, account smallint NOT NULL, category smallint NOT NULL, connector smallint NOT NULL,
    sender text NOT NULL, country smallint NOT NULL, operator smallint NOT NULL, campaign text NOT NULL,
    variant text NOT NULL, key integer NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS rollup_coded (
    day integer NOT NULL, connector smallint NOT NULL, error text NOT NULL, code integer NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS rollup_tagged (
    day integer NOT NULL, account smallint NOT NULL, tag text NOT NULL, number integer NOT NULL
) ON COMMIT DELETE ROWS;

-- name: rollup_fold
-- Folds the messages with $1 <= id < $2, and those of $3, as dlr/status.py does it. $4, $5: bounds of $3. $6: ms of the
-- ids' epoch. $7: its quarter. $8: ln of the growth of latency buckets. $9: ms of the longest time.
-- A message is unconfirmed while a part is; else its highest-ranking failure; else delivered if each part is. What has
-- an outbox row is pending. The submission that decides is the one with the message's status, of the highest reason,
-- the earliest receipt, the lowest id. Of several ways (dlr/ways.py) only one counts, but each was an attempt.
WITH picked AS (
    SELECT id, account, category, connector, sender, country, operator, campaign_id, variant, tags, expires_at
    FROM message
    WHERE id >= $1 AND id < $2 AND connector <> -1
    UNION ALL
    SELECT id, account, category, connector, sender, country, operator, campaign_id, variant, tags, expires_at
    FROM message
    WHERE id = ANY($3::bigint[]) AND id BETWEEN $4 AND $5 AND connector <> -1
), told AS (
    SELECT id, message_id, part, connector, status::int * 256 + reason AS said, error, segments, replaced,
           submitted_at IS NOT NULL OR status IN (5, 15) AS sent,
           CASE WHEN NOT replaced THEN parts END AS parts, CASE WHEN NOT replaced THEN submitted_at END AS submitted_at,
           CASE WHEN NOT replaced THEN responded_at END AS responded_at,
           CASE WHEN NOT replaced THEN receipt_at END AS receipt_at
    FROM submission
    WHERE id >= $1 AND message_id >= $1 AND message_id < $2
    UNION ALL
    SELECT id, message_id, part, connector, status::int * 256 + reason, error, segments, replaced,
           submitted_at IS NOT NULL OR status IN (5, 15),
           CASE WHEN NOT replaced THEN parts END, CASE WHEN NOT replaced THEN submitted_at END,
           CASE WHEN NOT replaced THEN responded_at END, CASE WHEN NOT replaced THEN receipt_at END
    FROM submission
    WHERE id >= $4 AND message_id = ANY($3::bigint[])
), waiting AS (
    SELECT id FROM outbox WHERE id >= $1 AND id < $2
    UNION ALL
    SELECT id FROM outbox WHERE id = ANY($3::bigint[])
), summed AS (
    SELECT message_id, max(parts) AS parts, count(*) AS submits, bool_or(sent) AS sent,
           sum(segments) FILTER (WHERE part > 0 AND sent) AS segments,
           bool_or(said / 256 = 5 AND NOT replaced) AS doubtful,
           max(said) FILTER (WHERE said / 256 NOT IN (5, 10, 60) AND NOT replaced) AS failure,
           count(*) FILTER (WHERE said / 256 = 60 AND NOT replaced) AS delivered,
           count(*) FILTER (WHERE part > 0) AS begun,
           count(*) FILTER (WHERE part > 0 AND responded_at IS NOT NULL) AS responded,
           count(*) FILTER (WHERE part > 0 AND receipt_at IS NOT NULL) AS receipted,
           max(submitted_at) AS submitted_at, max(responded_at) AS responded_at, max(receipt_at) AS receipt_at,
           min(connector) AS connector, max(error) AS error, max(said) AS said
    FROM told
    GROUP BY message_id
), several AS (
    -- Of a part the best of what was said of it counts, so these are summed part by part.
    SELECT told.* FROM told JOIN summed USING (message_id) WHERE summed.submits > 1
), part AS (
    SELECT message_id, part, max(parts) AS parts, max(said) FILTER (WHERE NOT replaced) AS said, count(*) AS submits,
           bool_or(sent) AS sent,
           max(segments) FILTER (WHERE sent) AS segments, max(submitted_at) AS submitted_at,
           max(responded_at) AS responded_at, max(receipt_at) AS receipt_at
    FROM several
    GROUP BY message_id, part
), joined AS (
    SELECT * FROM summed WHERE submits = 1
    UNION ALL
    SELECT message_id, max(parts), sum(submits)::bigint, bool_or(sent),
           sum(segments) FILTER (WHERE part > 0),
           bool_or(said / 256 = 5),
           max(said) FILTER (WHERE said / 256 NOT IN (5, 10, 60)),
           count(*) FILTER (WHERE said / 256 = 60),
           count(*) FILTER (WHERE part > 0),
           count(*) FILTER (WHERE part > 0 AND responded_at IS NOT NULL),
           count(*) FILTER (WHERE part > 0 AND receipt_at IS NOT NULL),
           max(submitted_at), max(responded_at), max(receipt_at), 0::smallint, NULL, max(said)
    FROM part
    GROUP BY message_id
), outcome AS (
    SELECT picked.*, w.id IS NOT NULL AS waits, j.parts AS parts_all, j.submits, j.sent, j.segments, j.responded,
           j.receipted, j.begun, j.submitted_at, j.responded_at, j.receipt_at, j.connector AS sole_connector,
           j.error AS sole_error, j.said AS sole_said,
           CASE
               WHEN w.id IS NOT NULL OR j.message_id IS NULL THEN 2560
               WHEN j.doubtful THEN 1280
               WHEN j.failure IS NOT NULL THEN j.failure
               WHEN j.delivered = j.parts THEN 15360
               ELSE 2560
           END AS said
    FROM picked
    LEFT JOIN joined AS j ON j.message_id = picked.id
    LEFT JOIN waiting AS w ON w.id = picked.id
), decided AS (
    SELECT DISTINCT ON (t.message_id) t.message_id, t.connector, t.error
    FROM several AS t
    JOIN outcome AS o ON o.id = t.message_id
    ORDER BY t.message_id, t.replaced, t.said / 256 = o.said / 256 DESC, t.said DESC, t.receipt_at, t.id
), tried AS (
    SELECT message_id, connector, part, max(said) AS said
    FROM several
    WHERE part > 0 AND connector <> 0
    GROUP BY message_id, connector, part
), tried_at AS (
    SELECT message_id, connector,
           CASE
               WHEN bool_or(said / 256 = 5) THEN 5
               ELSE coalesce(
                   max(said / 256) FILTER (WHERE said / 256 NOT IN (5, 10, 60)),
                   CASE WHEN bool_and(said / 256 = 60) THEN 60 ELSE 10 END
               )
           END AS status
    FROM tried
    GROUP BY message_id, connector
), attempted AS (
    SELECT message_id, array_agg(connector * 256 + status ORDER BY connector) AS attempts
    FROM tried_at
    GROUP BY message_id
)
INSERT INTO rollup_folded
SELECT o.id, 1, ((o.id >> 22) / 900000)::int + $7, o.account, o.category,
       coalesce(nullif(CASE WHEN o.submits = 1 THEN o.sole_connector ELSE d.connector END, 0), o.connector),
       o.sender, o.country, o.operator, coalesce(o.campaign_id, ''), coalesce(o.variant, ''),
       o.said / 256, o.said % 256,
       CASE
           WHEN o.said / 256 IN (5, 10, 60) THEN ''
           ELSE coalesce(CASE WHEN o.submits = 1 THEN o.sole_error ELSE d.error END, '')
       END,
       coalesce(o.segments, 0),
       CASE WHEN o.receipt_at > o.expires_at THEN 1 ELSE 0 END
       + CASE WHEN o.said = 15360 AND lag.receipt_ms <= 300000 THEN 2 ELSE 0 END
       + CASE WHEN o.said = 15360 AND lag.receipt_ms <= 3600000 THEN 4 ELSE 0 END
       + CASE WHEN o.sent THEN 8 ELSE 0 END,
       CASE
           WHEN NOT o.waits AND o.responded = o.parts_all THEN
               CASE WHEN lag.answer_ms <= 1 THEN 0 ELSE ceil(ln(least(lag.answer_ms, $9::float8)) / $8::float8) END
       END,
       CASE
           WHEN NOT o.waits AND o.receipted = o.parts_all THEN
               CASE WHEN lag.wire_ms <= 1 THEN 0 ELSE ceil(ln(least(lag.wire_ms, $9::float8)) / $8::float8) END
       END,
       o.tags,
       CASE WHEN o.submits = 1 AND o.begun = 1 THEN o.sole_connector * 256 + o.sole_said / 256 END,
       a.attempts,
       -- Each part delivered by one submit, or ended without the wire: nothing can change that.
       NOT o.waits AND (
           (o.said = 15360 AND o.submits = o.parts_all)
           OR (o.begun = 0 AND NOT o.sent AND o.said <> 2560)
       )
FROM outcome AS o
LEFT JOIN decided AS d ON d.message_id = o.id
LEFT JOIN attempted AS a ON a.message_id = o.id
CROSS JOIN LATERAL (
    SELECT date_part('epoch', o.responded_at) * 1000 - ((o.id >> 22) + $6::bigint) AS answer_ms,
           date_part('epoch', o.receipt_at) * 1000 - ((o.id >> 22) + $6::bigint) AS receipt_ms,
           date_part('epoch', o.receipt_at - o.submitted_at) * 1000 AS wire_ms
) AS lag;

-- name: rollup_group
INSERT INTO rollup_grouped
SELECT quarter, account, category, connector, sender, country, operator, campaign, variant, key, status, reason, error,
       code, flags, attempt, sum(weight), sum(weight * parts)
FROM rollup_folded
GROUP BY quarter, account, category, connector, sender, country, operator, campaign, variant, key, status, reason,
         error, code, flags, attempt;
