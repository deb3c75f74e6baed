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
