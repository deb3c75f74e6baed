-- name: experiment_counts
-- People in the test of a campaign ($1, before recipient $5) by the arm that they were planned in. Their messages are
-- those with $2 <= id < $3 and its label $4. Each is found by its place: another number key gives another index. $6: the status of what is delivered, $7: the class of clicks by people. A
-- success is a person's first click, or by $8 the first conversion that has such a click, in less than $10 from the
-- delivery. $9: milliseconds of the first id. $11: now. $12: the reason of an opt-out.
WITH placed AS MATERIALIZED (
    SELECT id_of_run(k.first_id, s.seq - k.from_seq) AS id, s.seq
    FROM campaign_chunk AS k
    CROSS JOIN LATERAL generate_series(k.from_seq, least(k.to_seq, $5::integer - 1)) AS s (seq)
    WHERE k.campaign = $1 AND k.from_seq < $5
), tested AS MATERIALIZED (
    SELECT m.id, r.arm
    FROM message AS m
    JOIN placed AS p ON p.id = m.id
    JOIN campaign_recipient AS r ON r.campaign = $1 AND r.seq = p.seq
    WHERE m.id >= $2 AND m.id < $3 AND m.campaign_id = $4 AND r.arm >= 0
), folded AS (
    SELECT s.message_id, bool_or(s.submitted_at IS NOT NULL OR s.status IN (5, 15)) AS sent,
        count(DISTINCT s.part) FILTER (WHERE s.part > 0 AND s.status = $6) = max(s.parts) FILTER (WHERE s.part > 0)
            AND NOT bool_or(s.part = 0) AS delivered,
        max(s.receipt_at) FILTER (WHERE s.status = $6) AS at
    FROM submission AS s
    WHERE s.id >= $2 AND s.message_id >= $2 AND s.message_id < $3 AND NOT s.replaced
    GROUP BY s.message_id
), reacted AS (
    SELECT message_id, min(at) AS at
    FROM (
        SELECT c.message_id, to_timestamp(((c.id >> 22) + $9::bigint) / 1000.0) AS at
        FROM click AS c
        WHERE NOT $8::boolean AND c.id >= $2 AND c.message_id >= $2 AND c.message_id < $3 AND c.class = $7
        UNION ALL
        SELECT v.message_id, v.occurred_at
        FROM conversion AS v
        JOIN click AS c ON c.id = v.click_id AND c.class = $7
        WHERE $8::boolean AND v.message_id >= $2 AND v.message_id < $3 AND v.event <> 'visit' AND c.id >= $2
    ) AS either
    GROUP BY message_id
), opted_out AS (
    -- The evidence of a press on a page is the message, that of a word the reply.
    SELECT message_id FROM suppression WHERE message_id >= $2 AND message_id < $3 AND reason = $12
    UNION
    SELECT i.answers FROM inbound_message AS i
    WHERE i.account = (SELECT account FROM campaign WHERE id = $1) AND i.id >= $2 AND i.answers >= $2 AND i.answers < $3
      AND coalesce(i.class, i.keyword) = 'opt_out'
)
SELECT t.arm,
    count(*) FILTER (WHERE f.sent) AS sent,
    count(*) FILTER (WHERE f.delivered) AS delivered,
    count(*) FILTER (WHERE f.delivered AND f.at + $10::interval <= $11) AS matured,
    count(*) FILTER (WHERE f.delivered AND f.at + $10::interval <= $11 AND a.at < f.at + $10::interval) AS successes,
    count(*) FILTER (WHERE f.delivered AND o.message_id IS NOT NULL) AS opt_outs
FROM tested AS t
LEFT JOIN folded AS f ON f.message_id = t.id
LEFT JOIN reacted AS a ON a.message_id = t.id
LEFT JOIN opted_out AS o ON o.message_id = t.id
GROUP BY t.arm;

-- name: experiments_open
SELECT * FROM campaign WHERE state = $1 AND test_end IS NOT NULL AND decided_at IS NULL ORDER BY id;

-- name: look_last
SELECT max(at) FROM experiment_look WHERE campaign = $1 AND at <= $2;

-- name: looks
SELECT at, counts, lambda, verdict, ordinal, bound FROM experiment_look WHERE campaign = $1 ORDER BY ordinal, at;

-- name: look_number
SELECT max(ordinal) FROM experiment_look WHERE campaign = $1;

-- name: look_add
INSERT INTO experiment_look (campaign, at, counts, lambda, verdict, ordinal, bound) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING;

-- name: campaign_decided
-- Once. The rate is counted anew from here where the remainder is next. No row: it is decided, or has no experiment.
UPDATE campaign
SET decided_at = $2, decided = $3, decided_arm = $4, decided_by = $5, decided_why = $6, revision = revision + 1,
    paced_at = CASE WHEN next_seq >= test_end THEN $2 ELSE paced_at END,
    paced_seq = CASE WHEN next_seq >= test_end THEN next_seq ELSE paced_seq END
WHERE id = $1 AND test_end IS NOT NULL AND decided_at IS NULL
RETURNING id;

-- name: holdout_turns
-- Of a campaign ($1): people whose turn came, texted or held out, and whose time to do it is over at $2. Their turn is
-- when the chunk that has their place was given, alike on both sides. Chunks follow one another from the first place on.
-- $3: milliseconds of the first id. $4: how long it counts. $5: what they are to do, of the account $6. $7: recipients
-- from here on get nothing. $8: no event that was told with a lower id is meant.
WITH turn AS MATERIALIZED (
    SELECT array_agg(from_seq ORDER BY from_seq) AS firsts, max(to_seq) AS last,
        array_agg(to_timestamp(((first_id >> 22) + $3::bigint) / 1000.0) ORDER BY from_seq) AS at
    FROM campaign_chunk
    WHERE campaign = $1 AND redone IS NULL
), merged AS MATERIALIZED (
    SELECT id, merged_into FROM contact WHERE account = $6 AND merged_into IS NOT NULL
), people AS MATERIALIZED (
    SELECT r.seq, coalesce(k.merged_into, r.contact) AS contact, r.arm >= 0 AS texted,
        t.at[width_bucket(r.seq, t.firsts)] AS at
    FROM campaign_recipient AS r
    CROSS JOIN turn AS t
    LEFT JOIN merged AS k ON k.id = r.contact
    WHERE r.campaign = $1 AND r.seq <= t.last AND r.arm >= -1 AND ($7::integer IS NULL OR r.seq < $7)
), events AS (
    SELECT coalesce(k.merged_into, e.contact) AS contact, e.at
    FROM contact_event AS e
    LEFT JOIN merged AS k ON k.id = e.contact
    WHERE e.account = $6 AND e.kind = $5 AND e.id >= $8
), done AS (
    SELECT DISTINCT p.seq
    FROM people AS p
    JOIN events AS e ON e.contact = p.contact AND e.at >= p.at AND e.at < p.at + $4::interval
)
SELECT p.texted, count(*) AS people, count(d.seq) AS converted
FROM people AS p
LEFT JOIN done AS d ON d.seq = p.seq
WHERE p.at + $4::interval <= $2
GROUP BY p.texted;
