-- name: loaded_offset
SELECT loaded_offset FROM click_journal WHERE name = $1

-- name: move_offset
-- Gives a row only if the file stood at $2. Another loader makes this one give way, and so does a session of a killed
-- process that is only now committing.
WITH moved AS (
    UPDATE click_journal SET loaded_offset = $3 WHERE name = $1 AND loaded_offset = $2 RETURNING 1
), begun AS (
    INSERT INTO click_journal (name, loaded_offset)
    SELECT $1, $3 WHERE $2::bigint = 0 AND NOT EXISTS (SELECT FROM moved)
    ON CONFLICT (name) DO NOTHING
    RETURNING 1
)
SELECT FROM moved UNION ALL SELECT FROM begun

-- name: confirm_offset
-- Clicks commit without waiting for the disk. This waits: after it every load of the file before is on disk too.
UPDATE click_journal SET loaded_offset = loaded_offset WHERE name = $1

-- name: end_journal
DELETE FROM click_journal WHERE name = $1

-- name: insert_click
INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent, ip_prefix, link_id, facts, rules,
    settled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)

-- name: store_gap
-- A gap that goes on is stored again, larger.
INSERT INTO click_gap (id, since, until, lost) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET until = greatest(click_gap.until, EXCLUDED.until),
    lost = greatest(click_gap.lost, EXCLUDED.lost)

-- name: gaps_since
-- At most $2: the last one then covers all that are left.
SELECT min(since) AS since, max(until) AS until, sum(lost)::bigint AS lost
FROM (
    SELECT since, until, lost, least(row_number() OVER (ORDER BY since, id), $2) AS place
    FROM click_gap WHERE until >= $1
) AS gap
GROUP BY place
ORDER BY place

-- name: gaps_purge
DELETE FROM click_gap
WHERE id IN (SELECT id FROM click_gap WHERE until < $1 ORDER BY until LIMIT $2 FOR UPDATE SKIP LOCKED)

-- name: clicks_to_settle
-- The oldest clicks that are judged again, if they are older than the id $1. What another process holds is its.
SELECT id FROM click WHERE NOT settled AND id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED

-- name: clicks_step
-- The next $3 clicks from id $1 on, before $2.
SELECT id FROM click WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3

-- name: click_evidence
-- The given clicks, between $2 and $3, with what is known of their messages. Of a message in parts the first submit
-- and the last delivery. Submits more than $4 (as ids count) behind a click say nothing of it.
SELECT c.id, c.link_seq, c.slot, c.message_id, c.class, c.reasons, c.method, c.user_agent, c.ip_prefix, c.link_id,
       c.facts, c.agent, c.revision, c.settled, way.submitted, way.done, way.told
FROM click AS c
LEFT JOIN LATERAL (
    SELECT (extract(epoch FROM min(s.submitted_at)) * 1000)::bigint AS submitted,
           (extract(epoch FROM max(s.done_at) FILTER (WHERE s.status = 60)) * 1000)::bigint AS done,
           (extract(epoch FROM max(s.receipt_at) FILTER (WHERE s.status = 60)) * 1000)::bigint AS told
    FROM submission AS s
    WHERE s.message_id = c.message_id AND c.message_id > 0 AND s.id >= c.message_id AND s.id <= c.id + $4
) AS way ON true
WHERE c.id = ANY($1::bigint[]) AND c.id >= $2 AND c.id <= $3
ORDER BY c.id

-- name: click_bursts
-- Stretches of $3 ms in which one network and browser opened links of at least $4 messages. $1 <= id < $2.
SELECT (id >> 22) / $3::bigint AS stretch, ip_prefix, user_agent
FROM click
WHERE id >= $1 AND id < $2 AND message_id > 0 AND ip_prefix <> '' AND user_agent <> ''
GROUP BY 1, 2, 3
HAVING count(DISTINCT message_id) >= $4

-- name: clicks_judged
UPDATE click AS c
SET class = new.class, reasons = string_to_array(new.reasons, ' '), revision = new.revision, rules = $6, settled = true
FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::smallint[]) AS new (id, class, reasons, revision)
WHERE c.id = new.id AND c.id >= ($5::bigint[])[1] AND c.id <= ($5::bigint[])[2]

-- name: clicks_settled
UPDATE click SET settled = true WHERE id = ANY($1::bigint[]) AND id >= $2 AND id <= $3

-- name: click_days
-- The days of ids, with how many of their clicks a version of the rules has looked at; NULL: not yet since they ended.
SELECT day, (
    SELECT clicks FROM click_review AS r
    WHERE r.rules = $2 AND r.day = d.day AND r.at >= (d.day + 1)::timestamp AT TIME ZONE 'UTC'
) AS clicks
FROM unnest($1::date[]) AS d (day)
ORDER BY day

-- name: click_reviewed
INSERT INTO click_review (rules, day, clicks, changed) VALUES ($1, $2, $3, $4)
ON CONFLICT (rules, day) DO UPDATE SET clicks = EXCLUDED.clicks, changed = EXCLUDED.changed, at = now()

-- name: click_review_alone
-- One at a time: it is held until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtextextended('click_review', 0))

-- name: agents_end
-- The user agents of at most $2 clicks before id $1 end: what they spoke for stays, as the verdict has it.
WITH found AS (
    SELECT id FROM click WHERE id < $1 AND agent IS NULL ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
), changed AS (
    UPDATE click AS c SET user_agent = '', agent = agent_in_force(c.class, c.reasons)
    FROM found WHERE c.id = found.id RETURNING c.id
)
SELECT count(*) FROM changed

-- name: reviews_purge
DELETE FROM click_review
WHERE (rules, day) IN (SELECT rules, day FROM click_review WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)
