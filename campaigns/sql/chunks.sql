-- name: campaigns_feeding
-- Campaigns whose recipients go into chunks now; $1: canary and running.
SELECT id, version FROM campaign WHERE state = ANY($1::smallint[]) ORDER BY id;

-- name: chunk_campaign
-- Locked, so that one process at a time takes the next recipients. No row: it is paused, or has ended.
SELECT id, account, state, version, planned, canary, started_at, paced_at, paced_seq, next_seq, next_chunk, wave, wave_chunks,
    test_end, decided_at, decided_arm
FROM campaign
WHERE id = $1 AND state = ANY($2::smallint[])
FOR UPDATE;

-- name: chunk_due
-- The last of recipients $2 to $3, of one phase, whose slot has come. There slots rise with seq, so it is one look from
-- the end of the range.
SELECT seq FROM campaign_recipient
WHERE campaign = $1 AND seq BETWEEN $2 AND $3 AND slot <= $4
ORDER BY seq DESC
LIMIT 1;

-- name: wave_people
-- How many recipients are in the chunks of a batch, which begins with chunk $3.
SELECT coalesce(sum(to_seq - from_seq + 1), 0) FROM campaign_chunk WHERE campaign = $1 AND batch = $2 AND no >= $3;

-- name: chunk_add
INSERT INTO campaign_chunk (campaign, no, version, batch, from_seq, to_seq, first_id, owner, redone)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: chunk_taken
UPDATE campaign SET next_seq = $2, next_chunk = $3, wave = $4, wave_chunks = $5 WHERE id = $1;

-- name: campaign_paced
-- What has gone is counted from another moment.
UPDATE campaign SET paced_at = $2 WHERE id = $1;

-- name: chunks_given
-- What this process has begun and not ended. A paused campaign's ($3) waits with it: what cannot be written would stand
-- before the others for ever.
SELECT c.*
FROM campaign_chunk AS c
JOIN campaign AS p ON p.id = c.campaign
WHERE NOT c.done AND c.owner = $1 AND p.state <> $3
ORDER BY c.campaign, c.no
LIMIT $2;

-- name: chunks_take_over
-- What processes that have ended left: their sessions are gone, so what they stored of it is final.
UPDATE campaign_chunk AS c SET owner = $1
FROM (
    SELECT c.campaign, c.no
    FROM campaign_chunk AS c
    JOIN owner_term AS t ON t.term = c.owner
    JOIN campaign AS p ON p.id = c.campaign
    WHERE NOT c.done AND t.ended_at IS NOT NULL AND p.state <> $3
    ORDER BY c.campaign, c.no
    LIMIT $2
    FOR UPDATE OF c SKIP LOCKED
) AS left_open
WHERE c.campaign = left_open.campaign AND c.no = left_open.no
RETURNING c.*;

-- name: chunk_done
-- No row: another process has taken it over.
UPDATE campaign_chunk SET done = true WHERE campaign = $1 AND no = $2 AND owner = $3 AND NOT done RETURNING no;

-- name: chunk_skips
INSERT INTO campaign_skip (campaign, seq, version, reason, rule, detail)
SELECT $1, s.seq, $2, s.reason, s.rule, s.detail
FROM unnest($3::integer[], $4::text[], $5::text[], $6::text[]) AS s (seq, reason, rule, detail)
ON CONFLICT DO NOTHING;

-- name: chunk_recipients
-- Those of a chunk who get a message, with what they are called by now. NULL: the number or the contact is gone, or is
-- about to be erased. Behind the test of an experiment the arm is the one that was decided (campaigns/running/phases.py).
WITH erasing AS MATERIALIZED (
    SELECT n.contact
    FROM person_erasure AS e
    JOIN contact_number AS n ON n.to_idx = e.number_idx AND (e.account IS NULL OR n.account = e.account)
    WHERE e.finished_at IS NULL
)
SELECT r.seq, CASE WHEN r.seq >= p.test_end THEN coalesce(p.decided_arm, r.arm) ELSE r.arm END AS arm,
    n.to_enc, c.external_id, c.source, c.attrs, c.time_zone, h.hours
FROM campaign AS p
JOIN campaign_recipient AS r ON r.campaign = p.id
LEFT JOIN contact_number AS n ON n.account = p.account AND n.to_idx = r.to_idx AND n.contact = r.contact
    AND r.contact NOT IN (SELECT contact FROM erasing)
LEFT JOIN contact AS c ON c.id = r.contact AND c.account = p.account
LEFT JOIN hour_profile AS h ON h.contact = r.contact
WHERE p.id = $1 AND r.campaign = $1 AND r.seq BETWEEN $2 AND $3 AND r.arm >= 0
ORDER BY r.seq;

-- name: chunk_other_numbers
-- The other numbers of those in a chunk.
SELECT o.to_idx, o.to_enc
FROM campaign AS p
JOIN campaign_recipient AS r ON r.campaign = p.id
JOIN contact_number AS o ON o.contact = r.contact AND o.account = p.account AND o.to_idx <> r.to_idx
WHERE p.id = $1 AND r.campaign = $1 AND r.seq BETWEEN $2 AND $3 AND r.arm >= 0;

-- name: chunk_said_no
-- Those of a chunk who said no for another of their numbers, perhaps since the plan. $4: the category, $5: the sender. A
-- number with an index of $6 has that of $7, too.
SELECT DISTINCT r.seq
FROM campaign AS p
JOIN campaign_recipient AS r ON r.campaign = p.id
JOIN contact_number AS o ON o.contact = r.contact AND o.account = p.account AND o.to_idx <> r.to_idx
CROSS JOIN LATERAL (
    SELECT o.to_idx
    UNION ALL
    SELECT f.form FROM unnest($6::bytea[], $7::bytea[]) AS f (to_idx, form) WHERE f.to_idx = o.to_idx
) AS known
JOIN suppression AS s ON s.to_idx = known.to_idx AND s.account IN (0, p.account) AND s.category IN (-1, $4)
WHERE p.id = $1 AND r.campaign = $1 AND r.seq BETWEEN $2 AND $3 AND r.arm >= 0
  AND s.source <> 'receipt' AND (s.expires_at IS NULL OR s.expires_at > now()) AND (s.senders IS NULL OR $5 = ANY(s.senders));

-- name: audience_hours
-- In which hours the first $2 of a plan did something, in sum. Who is first is by chance.
SELECT h.hour - 1 AS hour, sum(h.n) AS n
FROM (SELECT contact FROM campaign_recipient WHERE campaign = $1 ORDER BY seq LIMIT $2) AS r
JOIN hour_profile AS p ON p.contact = r.contact
CROSS JOIN LATERAL unnest(p.hours) WITH ORDINALITY AS h (n, hour)
GROUP BY h.hour;

-- name: messages_there
SELECT id FROM message WHERE id = ANY($1::bigint[]);

-- name: campaign_now
SELECT state, version, canary, planned, started_at, test_end, decided_at, decided_arm FROM campaign WHERE id = $1;

-- name: campaign_batches
SELECT ARRAY(SELECT DISTINCT batch FROM campaign_chunk WHERE campaign = $1 ORDER BY batch);

-- name: redo_next
-- The first chunk of an earlier version that was recalled and is not given anew. One whose messages still wait to be
-- recalled is not ready: somebody of it may be on the wire. Whom a breaker of their batch holds, it holds on. What was
-- canceled by hand as no campaign's stays so. The campaign's row is locked, as for a new chunk.
SELECT p.id, c.no, c.from_seq, c.to_seq, p.account, p.next_chunk, p.wave, p.wave_chunks, p.started_at, p.paced_at,
    p.paced_seq, p.next_seq
FROM (SELECT * FROM campaign WHERE id = $1 AND version = $2 AND state = ANY($3::smallint[]) FOR UPDATE) AS p
JOIN campaign_chunk AS c ON c.campaign = p.id
JOIN batch_control AS b ON b.id = c.batch
WHERE c.version < p.version AND c.done AND b.state = 2 AND b.campaign = p.id
  AND NOT EXISTS (SELECT FROM campaign_chunk AS d WHERE d.campaign = c.campaign AND d.redone = c.no)
  AND NOT EXISTS (SELECT FROM breaker AS k WHERE k.batch_id = b.id AND k.state IN (1, 3))
  AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.id BETWEEN b.id AND b.until_id AND o.batch_id = b.id)
ORDER BY c.no
LIMIT 1;

-- name: redo_taken
-- $5: so many are sent to anew, which the rate counts.
UPDATE campaign SET next_chunk = $2, wave = $3, wave_chunks = $4, paced_seq = paced_seq - $5 WHERE id = $1;

-- name: redo_of
-- A chunk and those that it gave anew, the latest first. All of them have the same recipients.
WITH RECURSIVE earlier AS (
    SELECT * FROM campaign_chunk WHERE campaign = $1 AND no = $2
    UNION ALL
    SELECT c.* FROM earlier AS e JOIN campaign_chunk AS c ON c.campaign = e.campaign AND c.no = e.redone
)
SELECT * FROM earlier ORDER BY no DESC;

-- name: messages_campaigns
SELECT id, campaign_id FROM message WHERE id = ANY($1::bigint[]) AND campaign_id IS NOT NULL;

-- name: sent_anew
-- The messages that went in the place of $1, which are of the campaigns $2, in order. The place of a message in its
-- chunk is what id_of_run counts.
WITH RECURSIVE later AS (
    SELECT m.id, c.campaign, c.no,
        (((m.id >> 22) - (c.first_id >> 22) << 14) + (m.id & 16383) - (c.first_id & 16383))::integer AS place
    FROM unnest($1::bigint[], $2::bigint[]) AS asked (id, campaign)
    JOIN message AS m ON m.id = asked.id
    JOIN campaign_chunk AS c ON c.campaign = asked.campaign AND c.batch = m.batch_id AND c.first_id <= m.id
        AND c.first_id & 4177920 = m.id & 4177920
        AND ((m.id >> 22) - (c.first_id >> 22) << 14) + (m.id & 16383) - (c.first_id & 16383) <= c.to_seq - c.from_seq
    UNION ALL
    SELECT l.id, c.campaign, c.no, l.place
    FROM later AS l
    JOIN campaign_chunk AS c ON c.campaign = l.campaign AND c.redone = l.no
)
SELECT l.id, m.id AS anew
FROM later AS l
JOIN campaign_chunk AS c ON c.campaign = l.campaign AND c.no = l.no
JOIN message AS m ON m.id = id_of_run(c.first_id, l.place)
WHERE m.id <> l.id
ORDER BY l.id, l.no;

-- name: canceled_of
-- $3: the words of a cancel of one message alone.
SELECT s.message_id, bool_or(s.error IS NOT DISTINCT FROM $3) AS alone
FROM unnest($1::bigint[]) AS m (id)
JOIN submission AS s ON s.message_id = m.id AND s.id >= m.id
WHERE s.status = $2 AND NOT s.replaced
GROUP BY s.message_id;

-- name: superseded_of
SELECT seq FROM campaign_skip
WHERE campaign = $1 AND version = $2 AND seq BETWEEN $3 AND $4 AND reason = $5;
