-- name: stat_begin
-- A chunk's batch is to be counted.
INSERT INTO campaign_stat_batch (campaign, batch) VALUES ($1, $2) ON CONFLICT DO NOTHING;

-- name: stat_batches
-- A campaign's batches with the ids that their messages may have, and how many people they are for, the newest first.
SELECT s.batch, s.counted_at, s.closed, s.linked, s.compliance, coalesce(b.until_id, s.batch) AS until_id,
    coalesce(k.people, 0) AS people
FROM campaign_stat_batch AS s
LEFT JOIN batch_control AS b ON b.id = s.batch
LEFT JOIN (
    SELECT batch, sum(to_seq - from_seq + 1)::bigint AS people FROM campaign_chunk WHERE campaign = $1 GROUP BY batch
) AS k ON k.batch = s.batch
WHERE s.campaign = $1
ORDER BY s.batch DESC;

-- name: stat_cells
-- The sums of these batches as they are stored.
SELECT batch, version, arm, operator, segments, hour, counts, clicks
FROM campaign_stat
WHERE campaign = $1 AND batch = ANY($2::bigint[]);

-- name: stat_count
-- The messages of a campaign's ($1) batches ($2), whose ids are from $3 to $4, by batch, version, arm, operator, segments
-- and hour. $5: account. $6: the class of clicks by people. $7: the event of a landing page. $8: the account's zone. $9:
-- seconds of the ids' epoch. $10: hours in which an opt-out counts. $11: the event that shows that somebody is back. $12:
-- how many days after delivery it counts.
-- A person is a recipient of the plan. At most one message of theirs was ever on the wire. So people are counted by
-- messages, whatever becomes of number and contact. What a message is folds as in dlr's message_counts. Reactions count
-- of what was sent. An opt-out is a word in answer, or a press on the message's page, which is in the audit alone.
WITH placed AS MATERIALIZED (
    SELECT id_of_run(k.first_id, s.seq - k.from_seq) AS id, k.version, s.seq
    FROM campaign_chunk AS k
    CROSS JOIN LATERAL generate_series(k.from_seq, k.to_seq) AS s (seq)
    WHERE k.campaign = $1 AND k.batch = ANY($2::bigint[])
), part AS (
    SELECT message_id, part, max(parts) FILTER (WHERE NOT replaced) AS parts,
           max(status::int * 256 + reason) FILTER (WHERE NOT replaced) AS code,
           bool_or(submitted_at IS NOT NULL OR status IN (5, 15)) AS sent,
           max(segments) FILTER (WHERE part > 0 AND (submitted_at IS NOT NULL OR status IN (5, 15))) AS segments,
           min(submitted_at) AS submitted_at, max(receipt_at) FILTER (WHERE NOT replaced) AS receipt_at
    FROM submission
    WHERE id >= $3 AND message_id >= $3 AND message_id <= $4
    GROUP BY message_id, part
), folded AS (
    SELECT message_id, bool_or(sent) AS sent, coalesce(sum(segments), 0) AS segments, min(submitted_at) AS submitted_at,
           max(receipt_at) AS receipt_at,
           bool_or(code / 256 = 5) AS unconfirmed, max(code) FILTER (WHERE code / 256 NOT IN (5, 10, 60)) AS failure,
           count(*) FILTER (WHERE code / 256 = 60) = max(parts) AS delivered
    FROM part
    GROUP BY message_id
), canceled AS (
    SELECT o.id
    FROM batch_control AS b
    JOIN outbox AS o ON o.batch_id = b.id
    WHERE b.id = ANY($2::bigint[]) AND b.live AND b.state = 2 AND NOT o.in_doubt
      AND o.id NOT IN (SELECT unnest(message_ids) FROM submit_intent)
      AND o.id NOT IN (SELECT message_id FROM part WHERE part > 0)
), told AS MATERIALIZED (
    SELECT m.id, m.batch_id AS batch, p.version, m.operator, coalesce(r.segments, 0::smallint) AS segments, r.contact,
           CASE WHEN m.variant ~ '^[0-9]{1,4}$' THEN m.variant::smallint ELSE coalesce(r.arm, 0::smallint) END AS arm,
           floor(extract(epoch FROM coalesce(
               f.submitted_at, to_timestamp((m.id >> 22) / 1000.0 + $9::bigint)
           )) / 3600)::integer AS hour,
           coalesce(f.submitted_at, to_timestamp((m.id >> 22) / 1000.0 + $9::bigint)) AS begun_at,
           coalesce(f.sent, false) AS sent, coalesce(f.segments, 0) AS parts, f.receipt_at,
           coalesce(f.receipt_at > m.expires_at, false) AS late,
           CASE
               WHEN c.id IS NOT NULL THEN 73
               WHEN o.id IS NOT NULL OR f.message_id IS NULL THEN 10
               WHEN f.unconfirmed THEN 5
               WHEN f.failure IS NOT NULL THEN f.failure / 256
               WHEN f.delivered THEN 60
               ELSE 10
           END AS status
    FROM message AS m
    JOIN placed AS p ON p.id = m.id
    LEFT JOIN campaign_recipient AS r ON r.campaign = $1 AND r.seq = p.seq
    LEFT JOIN folded AS f ON f.message_id = m.id
    LEFT JOIN outbox AS o ON o.id = m.id
    LEFT JOIN canceled AS c ON c.id = m.id
    WHERE m.id >= $3 AND m.id <= $4 AND m.batch_id = ANY($2::bigint[]) AND m.connector <> -1  -- the sandbox
), landed AS (
    SELECT DISTINCT click_id FROM conversion
    WHERE message_id >= $3 AND message_id <= $4 AND event = $7 AND click_id IS NOT NULL
), clicked AS (
    SELECT c.message_id, count(*) AS clicks, count(*) FILTER (WHERE c.class = $6) AS human,
           count(l.click_id) FILTER (WHERE c.class = $6) AS landed
    FROM click AS c
    LEFT JOIN landed AS l ON l.click_id = c.id
    WHERE c.id >= $3 AND c.message_id >= $3 AND c.message_id <= $4
    GROUP BY c.message_id
), converted AS (
    SELECT v.message_id, count(*) FILTER (WHERE c.id IS NOT NULL) AS conversions,
           count(*) FILTER (WHERE c.id IS NULL) AS without_click
    FROM conversion AS v
    LEFT JOIN click AS c ON c.id = v.click_id AND c.id >= $3 AND c.class = $6
    WHERE v.message_id >= $3 AND v.message_id <= $4 AND v.event <> $7
    GROUP BY v.message_id
), answered AS (
    SELECT answers AS message_id, array_agg(DISTINCT class) AS classes, min(id) FILTER (WHERE class = 'opt_out') AS out_id,
           count(rating) AS ratings, coalesce(sum(rating), 0) AS rating_sum
    FROM (
        SELECT id, answers, coalesce(class, keyword, 'other') AS class, rating
        FROM inbound_message
        WHERE account = $5 AND id >= $3 AND answers >= $3 AND answers <= $4
    ) AS i
    GROUP BY answers
), pressed AS (
    SELECT (detail ->> 'message_id')::bigint AS message_id, min(id) AS out_id
    FROM audit
    WHERE account = $5 AND id >= $3 AND actor = 'page' AND action = 'suppression.add'
      AND (detail ->> 'message_id')::bigint >= $3 AND (detail ->> 'message_id')::bigint <= $4
    GROUP BY 1
), complained AS (
    SELECT DISTINCT message_id FROM complaint WHERE account = $5 AND message_id >= $3 AND message_id <= $4
), returned AS (
    -- The first day on which a delivered person was back, and whether they were on some days after it.
    SELECT id, back_on, bool_or(day = back_on + 1) AS day_1, bool_or(day = back_on + 7) AS day_7,
           bool_or(day = back_on + 30) AS day_30
    FROM (
        SELECT t.id, (e.at AT TIME ZONE $8)::date AS day,
               min((e.at AT TIME ZONE $8)::date) FILTER (WHERE e.at < t.receipt_at + $12 * interval '1 day')
                   OVER (PARTITION BY t.id) AS back_on
        FROM told AS t
        LEFT JOIN contact AS c ON c.id = t.contact
        JOIN contact_event AS e ON e.contact = coalesce(c.merged_into, t.contact)
        WHERE t.status = 60 AND e.account = $5 AND e.id >= $3 AND e.kind = $11 AND e.at >= t.receipt_at
    ) AS days
    WHERE back_on IS NOT NULL
    GROUP BY id, back_on
), judged AS (
    SELECT t.*, coalesce(k.clicks, 0) AS clicks, coalesce(k.human, 0) AS human, coalesce(k.landed, 0) AS landed,
           coalesce(v.conversions, 0) AS conversions, coalesce(v.without_click, 0) AS without_click,
           CASE WHEN t.sent THEN coalesce(a.classes, '{}') ELSE '{}' END AS classes, a.ratings, a.rating_sum,
           t.sent AND coalesce(
               to_timestamp((least(a.out_id, p.out_id) >> 22) / 1000.0 + $9::bigint) < t.begun_at + $10 * interval '1 hour',
               false
           ) AS opted_out,
           t.sent AND d.message_id IS NOT NULL AS complained, b.id IS NOT NULL AS recalled,
           coalesce(b.day_1, false) AS day_1, coalesce(b.day_7, false) AS day_7, coalesce(b.day_30, false) AS day_30
    FROM told AS t
    LEFT JOIN clicked AS k ON k.message_id = t.id
    LEFT JOIN converted AS v ON v.message_id = t.id
    LEFT JOIN answered AS a ON a.message_id = t.id
    LEFT JOIN pressed AS p ON p.message_id = t.id
    LEFT JOIN complained AS d ON d.message_id = t.id
    LEFT JOIN returned AS b ON b.id = t.id
)
SELECT batch, version, arm, operator, segments, hour,
       count(*) AS accepted,
       count(*) FILTER (WHERE sent) AS sent,
       sum(parts)::bigint AS parts,
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
       count(*) FILTER (WHERE status = 10) AS pending,
       count(*) FILTER (WHERE late) AS late,
       sum(clicks)::bigint AS clicks,
       sum(human)::bigint AS human_clicks,
       coalesce(sum(human) FILTER (WHERE status = 60), 0)::bigint AS human_clicks_delivered,
       count(*) FILTER (WHERE human > 0) AS clicked,
       count(*) FILTER (WHERE human > 0 AND status = 60) AS clicked_delivered,
       sum(landed)::bigint AS landed_clicks,
       count(*) FILTER (WHERE landed > 0) AS visitors,
       sum(conversions)::bigint AS conversions,
       sum(without_click)::bigint AS conversions_without_click,
       count(*) FILTER (WHERE human > 0 AND conversions > 0) AS converted,
       count(*) FILTER (WHERE human > 0 AND conversions > 0 AND status = 60) AS converted_delivered,
       count(*) FILTER (WHERE landed > 0 AND conversions > 0) AS converted_visitors,
       count(*) FILTER (WHERE opted_out) AS opted_out,
       count(*) FILTER (WHERE opted_out AND status = 60) AS opted_out_delivered,
       count(*) FILTER (WHERE complained) AS complained,
       count(*) FILTER (WHERE classes <> '{}') AS replied,
       count(*) FILTER (WHERE classes <> '{}' AND status = 60) AS replied_delivered,
       count(*) FILTER (WHERE 'opt_out' = ANY(classes) AND status = 60) AS replied_opt_out,
       count(*) FILTER (WHERE 'opt_in' = ANY(classes) AND status = 60) AS replied_opt_in,
       count(*) FILTER (WHERE 'help' = ANY(classes) AND status = 60) AS replied_help,
       count(*) FILTER (WHERE 'keyword' = ANY(classes) AND status = 60) AS replied_keyword,
       count(*) FILTER (WHERE 'rating' = ANY(classes) AND status = 60) AS replied_rating,
       count(*) FILTER (WHERE 'other' = ANY(classes) AND status = 60) AS replied_other,
       coalesce(sum(ratings), 0)::bigint AS ratings,
       coalesce(sum(rating_sum), 0)::bigint AS rating_sum,
       count(*) FILTER (WHERE recalled) AS recalled,
       count(*) FILTER (WHERE day_1) AS retained_d1,
       count(*) FILTER (WHERE day_7) AS retained_d7,
       count(*) FILTER (WHERE day_30) AS retained_d30
FROM judged
GROUP BY batch, version, arm, operator, segments, hour;

-- name: stat_clicks
-- Clicks of people by full hours since the first submit, of the first $7 hours, by what tells messages apart as in
-- stat_count.
WITH placed AS MATERIALIZED (
    SELECT id_of_run(k.first_id, s.seq - k.from_seq) AS id, k.version, s.seq
    FROM campaign_chunk AS k
    CROSS JOIN LATERAL generate_series(k.from_seq, k.to_seq) AS s (seq)
    WHERE k.campaign = $1 AND k.batch = ANY($2::bigint[])
), clicked AS (
    SELECT id, message_id, to_timestamp((id >> 22) / 1000.0 + $6::bigint) AS at
    FROM click
    WHERE id >= $3 AND message_id >= $3 AND message_id <= $4 AND class = $5
), begun AS (
    SELECT message_id, min(submitted_at) AS at
    FROM submission
    WHERE id >= $3 AND message_id IN (SELECT message_id FROM clicked)
    GROUP BY message_id
), told AS (
    SELECT m.batch_id AS batch, p.version,
           CASE WHEN m.variant ~ '^[0-9]{1,4}$' THEN m.variant::smallint ELSE coalesce(r.arm, 0::smallint) END AS arm,
           m.operator, coalesce(r.segments, 0::smallint) AS segments,
           coalesce(b.at, to_timestamp((m.id >> 22) / 1000.0 + $6::bigint)) AS begun_at, c.at
    FROM clicked AS c
    JOIN message AS m ON m.id = c.message_id
    JOIN placed AS p ON p.id = m.id
    LEFT JOIN campaign_recipient AS r ON r.campaign = $1 AND r.seq = p.seq
    LEFT JOIN begun AS b ON b.message_id = m.id
    WHERE m.id >= $3 AND m.id <= $4 AND m.batch_id = ANY($2::bigint[]) AND m.connector <> -1
)
SELECT batch, version, arm, operator, segments, floor(extract(epoch FROM begun_at) / 3600)::integer AS hour,
    greatest(0, floor(extract(epoch FROM at - begun_at) / 3600))::integer AS since, count(*) AS clicks
FROM told
WHERE at < begun_at + $7 * interval '1 hour'
GROUP BY 1, 2, 3, 4, 5, 6, 7;

-- name: stat_linked
-- Which of these batches have links of the recipient's own. Ids of one range lie close together.
SELECT b.id AS batch
FROM batch_control AS b
WHERE b.id = ANY($1::bigint[]) AND EXISTS (
    SELECT FROM link_range AS r WHERE r.message_ids[1] >= b.id AND r.message_ids[1] <= b.until_id
);

-- name: stat_due
-- A batch that is to be counted, locked: one that another process counts is left to it. It waits $2 seconds since its last
-- count, and the share $3 of its age. $4: the id of now.
SELECT s.campaign, s.batch, c.account
FROM campaign_stat_batch AS s
JOIN campaign AS c ON c.id = s.campaign
WHERE NOT s.closed
  AND (s.counted_at IS NULL OR s.counted_at + interval '1 second'
       * greatest($2::float8, $3::float8 * (($4::bigint >> 22) - (s.batch >> 22)) / 1000.0) <= $1::timestamptz)
ORDER BY s.counted_at NULLS FIRST, s.batch
LIMIT 1
FOR UPDATE OF s SKIP LOCKED;

-- name: stat_hold
SELECT true FROM campaign_stat_batch WHERE campaign = $1 AND batch = $2 AND NOT closed FOR UPDATE;

-- name: stat_sources
-- Whether the plan is still stored.
SELECT EXISTS (SELECT FROM campaign_recipient WHERE campaign = $1);

-- name: stat_forget
DELETE FROM campaign_stat WHERE campaign = $1 AND batch = $2;

-- name: stat_add
INSERT INTO campaign_stat (campaign, batch, version, arm, operator, segments, hour, counts, clicks)
SELECT $1, batch, version, arm, operator, segments, hour, counts, clicks
FROM jsonb_to_recordset($2::jsonb) AS each (
    batch bigint, version integer, arm smallint, operator smallint, segments smallint, hour integer, counts jsonb, clicks jsonb
);

-- name: stat_counted
UPDATE campaign_stat_batch SET counted_at = $3, closed = $4, linked = $5 WHERE campaign = $1 AND batch = $2;

-- name: stat_of_days
-- Batches that are not closed and may have messages with $1 <= id < $2.
SELECT s.campaign, s.batch, c.account
FROM campaign_stat_batch AS s
JOIN campaign AS c ON c.id = s.campaign
LEFT JOIN batch_control AS b ON b.id = s.batch
WHERE NOT s.closed AND s.batch < $2 AND coalesce(b.until_id, s.batch) >= $1
ORDER BY s.batch;

-- name: campaign_stat_purge
DELETE FROM campaign_stat
WHERE ctid IN (SELECT ctid FROM campaign_stat WHERE campaign < $1 ORDER BY campaign LIMIT $2 FOR UPDATE SKIP LOCKED);

-- name: campaign_stat_batch_purge
DELETE FROM campaign_stat_batch
WHERE (campaign, batch) IN (
    SELECT campaign, batch FROM campaign_stat_batch WHERE campaign < $1 ORDER BY campaign, batch LIMIT $2
);

-- name: report_steps
-- What delivered people did ($6) within $9 days of delivery, by arm. Of one person it is at most $8 events, the earliest
-- first. At most $7 rows. $1 to $5 as in stat_count.
WITH placed AS MATERIALIZED (
    SELECT id_of_run(k.first_id, s.seq - k.from_seq) AS id, s.seq
    FROM campaign_chunk AS k
    CROSS JOIN LATERAL generate_series(k.from_seq, k.to_seq) AS s (seq)
    WHERE k.campaign = $1 AND k.batch = ANY($2::bigint[])
), delivered AS (
    SELECT message_id, max(receipt_at) AS at
    FROM submission
    WHERE id >= $3 AND message_id >= $3 AND message_id <= $4 AND NOT replaced
    GROUP BY message_id
    HAVING count(DISTINCT part) FILTER (WHERE part > 0 AND status = 60) = max(parts) FILTER (WHERE part > 0)
       AND NOT bool_or(part = 0)
), reached AS (
    SELECT m.id, r.contact, d.at,
           CASE WHEN m.variant ~ '^[0-9]{1,4}$' THEN m.variant::smallint ELSE r.arm END AS arm
    FROM message AS m
    JOIN placed AS p ON p.id = m.id
    JOIN delivered AS d ON d.message_id = m.id
    JOIN campaign_recipient AS r ON r.campaign = $1 AND r.seq = p.seq
    WHERE m.id >= $3 AND m.id <= $4 AND m.batch_id = ANY($2::bigint[]) AND m.connector <> -1
      AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.id = m.id)
), walked AS (
    SELECT x.id, x.arm,
           coalesce((array_agg(e.kind ORDER BY e.at, e.id) FILTER (WHERE e.kind IS NOT NULL))[1 : $8::integer], '{}') AS did
    FROM reached AS x
    LEFT JOIN contact AS c ON c.id = x.contact
    LEFT JOIN contact_event AS e
        ON e.contact = coalesce(c.merged_into, x.contact) AND e.account = $5 AND e.id >= $3 AND e.kind = ANY($6::text[])
        AND e.at >= x.at AND e.at < x.at + $9 * interval '1 day'
    GROUP BY x.id, x.arm
)
SELECT arm, did, count(*) AS people FROM walked GROUP BY arm, did LIMIT $7;

-- name: excluded_page
SELECT e.contact, e.reason, n.to_enc
FROM campaign_excluded AS e
LEFT JOIN contact_number AS n ON n.account = $2 AND n.contact = e.contact AND n.rank = 0
WHERE e.campaign = $1 AND e.contact > $4 AND ($3::text IS NULL OR e.reason = $3)
ORDER BY e.contact
LIMIT $5;

-- name: why_contacts
-- The contact, and those that were merged into it or into what it became part of.
SELECT array_agg(c.id)
FROM contact AS c
WHERE c.account = $1 AND (c.id = $2 OR c.merged_into = (
    SELECT coalesce(merged_into, id) FROM contact WHERE account = $1 AND id = $2
) OR c.id = (SELECT merged_into FROM contact WHERE account = $1 AND id = $2));

-- name: why
-- The campaign $3, or the account's last $4, with the reason for which one of these contacts ($2) was excluded. `instead`:
-- who is planned with the same number. `seq`: the first place in the plan that is one of theirs.
SELECT c.id, c.state, c.planned_at, v.spec ->> 'name' AS name, e.reason,
    (
        SELECT (array_agg(r.seq ORDER BY r.seq))[1] FROM campaign_recipient AS r
        WHERE r.campaign = c.id AND r.contact = ANY($2::bigint[])
    ) AS seq,
    c.planned_at IS NOT NULL AND NOT EXISTS (SELECT FROM campaign_recipient WHERE campaign = c.id)
        AND NOT EXISTS (SELECT FROM campaign_excluded WHERE campaign = c.id) AND c.planned > 0 AS forgotten,
    CASE WHEN e.reason = 'same_number' THEN (
        SELECT r.contact
        FROM contact_number AS n
        JOIN campaign_recipient AS r ON r.campaign = c.id AND r.to_idx = n.to_idx
        WHERE n.account = $1 AND n.contact = ANY($2::bigint[]) AND n.rank = 0
        LIMIT 1
    ) END AS instead
FROM (
    SELECT * FROM campaign
    WHERE account = $1 AND ($3::bigint IS NULL OR id = $3) ORDER BY id DESC LIMIT $4
) AS c
JOIN campaign_version AS v ON v.campaign = c.id AND v.version = c.version
LEFT JOIN LATERAL (
    SELECT reason FROM campaign_excluded WHERE campaign = c.id AND contact = ANY($2::bigint[]) LIMIT 1
) AS e ON true
ORDER BY c.id DESC;

-- name: compliance_sent
-- What of these batches ($1), with ids from $2 to $3, was on the wire, and when first. With it comes the consent that held
-- then, and all that the caps counted of the number.
WITH sent AS MATERIALIZED (
    SELECT message_id, min(submitted_at) AS at
    FROM submission
    WHERE id >= $2 AND message_id >= $2 AND message_id <= $3 AND submitted_at IS NOT NULL
    GROUP BY message_id
), told AS MATERIALIZED (
    SELECT m.id, m.category, m.to_idx, m.to_enc, m.options, s.at
    FROM message AS m
    JOIN sent AS s ON s.message_id = m.id
    WHERE m.id >= $2 AND m.id <= $3 AND m.batch_id = ANY($1::bigint[]) AND m.connector <> -1
), allowed AS (
    SELECT DISTINCT ON (t.id) t.id, c.granted, c.evidence IS NOT NULL AS proved
    FROM told AS t
    JOIN consent AS c ON c.account = $4 AND c.to_idx = t.to_idx AND c.category = t.category AND c.at <= t.at
    ORDER BY t.id, c.at DESC, c.id DESC
)
SELECT t.category, t.to_enc, t.options, (extract(epoch FROM t.at) * 1000)::bigint AS at_ms,
    coalesce(a.granted, false) AS granted, coalesce(a.proved, false) AS proved, f.sent_at
FROM told AS t
LEFT JOIN allowed AS a ON a.id = t.id
LEFT JOIN frequency AS f ON f.account = $4 AND f.category = t.category AND f.to_idx = t.to_idx;

-- name: compliance_opt_outs
-- Milliseconds from each opt-out in answer to a message of these batches ($1), or by its page, to the suppression. $5:
-- milliseconds of the ids' epoch. $6: the reason of an opt-out. A word's evidence is the reply, a press's the message. What
-- only said again what held already changed nothing.
WITH said AS (
    SELECT i.answers AS message_id, i.id, i.id AS evidence
    FROM inbound_message AS i
    WHERE i.account = $4 AND i.id >= $2 AND i.answers >= $2 AND i.answers <= $3 AND coalesce(i.class, i.keyword) = 'opt_out'
    UNION ALL
    SELECT (detail ->> 'message_id')::bigint, id, (detail ->> 'message_id')::bigint
    FROM audit
    WHERE account = $4 AND id >= $2 AND actor = 'page' AND action = 'suppression.add'
      AND (detail ->> 'message_id')::bigint >= $2 AND (detail ->> 'message_id')::bigint <= $3
)
SELECT DISTINCT ON (f.message_id) greatest(0, extract(epoch FROM s.created_at) * 1000 - ((f.id >> 22) + $5))::float8 AS ms
FROM said AS f
JOIN message AS m ON m.id = f.message_id AND m.batch_id = ANY($1::bigint[])
JOIN suppression AS s ON s.to_idx = m.to_idx AND s.account = $4 AND s.message_id = f.evidence AND s.reason = $6
ORDER BY f.message_id, f.id;

-- name: compliance_keep
UPDATE campaign_stat_batch SET compliance = $3 WHERE campaign = $1 AND batch = $2;
