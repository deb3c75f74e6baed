-- name: campaigns_watched
-- Campaigns that are being fed or are at their end; a row that another process looks at is left to it. One that has begun
-- is looked at also where the clock was set back behind its start.
SELECT * FROM campaign
WHERE state IN (2, 3) AND (started_at <= $1 OR next_seq > 0)
ORDER BY id
FOR UPDATE SKIP LOCKED;

-- name: campaigns_counted
SELECT state, count(*) AS campaigns FROM campaign GROUP BY state;

-- name: chunks_waiting
SELECT count(*) FROM campaign_chunk WHERE NOT done;

-- name: campaign_open_chunks
SELECT count(*) FROM campaign_chunk WHERE campaign = $1 AND NOT done;

-- name: campaign_recalled
-- Chunks of earlier versions that were recalled and not given anew.
SELECT count(*)
FROM campaign_chunk AS c
JOIN batch_control AS b ON b.id = c.batch
WHERE c.campaign = $1 AND c.version < $2 AND b.state = 2 AND b.campaign = c.campaign
  AND NOT EXISTS (SELECT FROM campaign_chunk AS d WHERE d.campaign = c.campaign AND d.redone = c.no);

-- name: recall_held
-- A batch, recalled and not given anew, whose people a breaker of it holds on.
SELECT k.subject
FROM campaign_chunk AS c
JOIN batch_control AS b ON b.id = c.batch
JOIN breaker AS k ON k.batch_id = b.id AND k.state IN (1, 3)
WHERE c.campaign = $1 AND b.state = 2 AND b.campaign = c.campaign
  AND NOT EXISTS (SELECT FROM campaign_chunk AS d WHERE d.campaign = c.campaign AND d.redone = c.no)
LIMIT 1;

-- name: campaign_canary_fed
-- Since when its canary's time runs.
UPDATE campaign SET canary_fed_at = $2 WHERE id = $1 AND (canary_fed_at IS NULL OR canary_fed_at > $2);

-- name: wave_words
-- What people said about the messages of a batch: opt-outs in answer to one or by its page, and complaints. $2: the reason
-- of an opt-out. The evidence of a word is the reply, that of a press the message. $3: milliseconds of the ids' epoch. No
-- number is asked for, since one may have two indexes. An hour: clocks of several processes differ.
WITH said AS MATERIALIZED (
    SELECT i.answers AS message_id
    FROM batch_control AS b
    JOIN inbound_message AS i ON i.account = b.account AND i.id >= b.id AND i.answers BETWEEN b.id AND b.until_id
    WHERE b.id = $1 AND coalesce(i.class, i.keyword) = 'opt_out'
), pressed AS MATERIALIZED (
    SELECT s.message_id
    FROM batch_control AS b
    JOIN suppression AS s ON s.created_at >= to_timestamp(((b.id >> 22) + $3::bigint) / 1000.0) - interval '1 hour'
        AND s.message_id BETWEEN b.id AND b.until_id
    WHERE b.id = $1 AND s.reason = $2
), complained AS MATERIALIZED (
    SELECT c.message_id
    FROM batch_control AS b
    JOIN complaint AS c ON c.message_id BETWEEN b.id AND b.until_id
    WHERE b.id = $1
)
SELECT
    count(*) FILTER (
        WHERE m.id IN (SELECT message_id FROM said) OR m.id IN (SELECT message_id FROM pressed)
    ) AS unsubscribed,
    count(*) FILTER (WHERE m.id IN (SELECT message_id FROM complained)) AS complaints
FROM batch_control AS b
JOIN message AS m ON m.id BETWEEN b.id AND b.until_id AND m.batch_id = b.id
WHERE b.id = $1;

-- name: waves_judged
-- The last $3 batches that have chunks from number $2 on.
SELECT batch FROM campaign_chunk WHERE campaign = $1 AND no >= $2 GROUP BY batch ORDER BY max(no) DESC LIMIT $3;

-- name: wave_filtered
-- Messages of a batch that a carrier has stopped for their sender or text ($3: these reasons). $2: its last id.
SELECT count(DISTINCT s.message_id)
FROM submission AS s
WHERE s.id >= $1 AND s.message_id BETWEEN $1 AND $2 AND s.reason = ANY($3::smallint[]) AND NOT s.replaced
  AND (SELECT m.batch_id FROM message AS m WHERE m.id = s.message_id) = $1;

-- name: wave_reach_of
SELECT until_id FROM batch_control WHERE id = $1;

-- name: campaign_waits_for
-- Connectors of $2 for which messages of the campaign wait that are due. One at which another process than $3 has some of
-- them is up there.
SELECT o.connector
FROM (SELECT DISTINCT batch FROM campaign_chunk WHERE campaign = $1) AS c
JOIN batch_control AS b ON b.id = c.batch
JOIN outbox AS o ON o.id BETWEEN b.id AND b.until_id AND o.batch_id = b.id
WHERE o.connector = ANY($2::smallint[]) AND (o.not_before IS NULL OR o.not_before <= now())
GROUP BY o.connector
HAVING NOT bool_or(o.owner NOT IN (0, $3))
ORDER BY o.connector;

-- name: campaign_released
-- The rate of the others is counted from here.
UPDATE campaign SET state = $2, revision = revision + 1, paced_at = $3, paced_seq = next_seq WHERE id = $1;

-- name: campaign_reach
-- The ids that a campaign's messages may have.
SELECT min(c.batch) AS first, max(b.until_id) AS last
FROM campaign_chunk AS c
JOIN batch_control AS b ON b.id = c.batch
WHERE c.campaign = $1;

-- name: links_due
-- Campaigns under way whose links were not asked for $1 seconds, or that are suspect ($2): these first, then the
-- longest. A row that another process looks at is left to it.
UPDATE campaign AS c SET links_asked_at = now()
FROM (
    SELECT id
    FROM campaign
    WHERE state IN (2, 3) AND started_at <= now()
      AND (links_asked_at IS NULL OR links_asked_at < now() - make_interval(secs => $1) OR id = ANY($2::bigint[]))
    ORDER BY id <> ALL($2::bigint[]), links_asked_at NULLS FIRST, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
) AS due
WHERE c.id = due.id
RETURNING c.id, c.version;

-- name: standing
-- Where a campaign stands, and of its messages that wait (up to $3) how many are due by $2. held_until: when the first of
-- the others is.
SELECT c.next_seq, c.paced_at, c.paced_seq, c.canary, c.planned, c.started_at, c.test_end, c.decided_at, c.decided_arm,
    w.waiting, w.due, w.held_until, w.hold,
    (SELECT count(*) FROM campaign_chunk AS k WHERE k.campaign = c.id AND NOT k.done) AS open_chunks
FROM campaign AS c
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, count(*) FILTER (WHERE o.not_before IS NULL OR o.not_before <= $2) AS due,
        min(o.not_before) FILTER (WHERE o.not_before > $2) AS held_until,
        (array_agg(o.hold ORDER BY o.not_before) FILTER (WHERE o.not_before > $2))[1] AS hold
    FROM (
        SELECT o.not_before, o.hold
        FROM (SELECT DISTINCT batch FROM campaign_chunk WHERE campaign = c.id) AS k
        JOIN batch_control AS b ON b.id = k.batch
        JOIN outbox AS o ON o.id BETWEEN b.id AND b.until_id AND o.batch_id = b.id
        LIMIT $3
    ) AS o
) AS w
WHERE c.id = $1;

-- name: slot_of
SELECT slot FROM campaign_recipient WHERE campaign = $1 AND seq = $2;
