-- name: campaigns_watched
-- Campaigns that are being fed or are at their end; a row that another process looks at is left to it.
SELECT * FROM campaign WHERE state IN (2, 3) AND started_at <= $1 ORDER BY id FOR UPDATE SKIP LOCKED;

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
WHERE c.campaign = $1 AND c.version < $2 AND b.state = 2
  AND NOT EXISTS (SELECT FROM campaign_chunk AS d WHERE d.campaign = c.campaign AND d.redone = c.no);

-- name: campaign_canary_fed
UPDATE campaign SET canary_fed_at = $2 WHERE id = $1 AND canary_fed_at IS NULL;

-- name: wave_words
-- What people said about the messages of a batch: opt-outs in answer to one or by its page, and complaints. $2: the reason
-- of an opt-out. The evidence of a word is the reply, that of a press the message.
WITH said AS MATERIALIZED (
    SELECT i.answers AS message_id
    FROM batch_control AS b
    JOIN inbound_message AS i ON i.account = b.account AND i.id >= b.id AND i.answers BETWEEN b.id AND b.until_id
    WHERE b.id = $1 AND coalesce(i.class, i.keyword) = 'opt_out'
)
SELECT
    count(*) FILTER (
        WHERE m.id IN (SELECT message_id FROM said)
           OR EXISTS (SELECT FROM suppression AS s WHERE s.to_idx = m.to_idx AND s.message_id = m.id AND s.reason = $2)
    ) AS unsubscribed,
    count(*) FILTER (
        WHERE EXISTS (SELECT FROM complaint AS c WHERE c.to_idx = m.to_idx AND c.message_id = m.id)
    ) AS complaints
FROM batch_control AS b
JOIN message AS m ON m.id BETWEEN b.id AND b.until_id AND m.batch_id = b.id
WHERE b.id = $1;

-- name: wave_reach_of
SELECT until_id FROM batch_control WHERE id = $1;

-- name: campaign_released
-- The rate of the others is counted from here.
UPDATE campaign SET state = $2, revision = revision + 1, paced_at = $3, paced_seq = next_seq WHERE id = $1;

-- name: campaign_reach
-- The ids that a campaign's messages may have.
SELECT min(c.batch) AS first, max(b.until_id) AS last
FROM campaign_chunk AS c
JOIN batch_control AS b ON b.id = c.batch
WHERE c.campaign = $1;
