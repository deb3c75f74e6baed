-- name: rollup_try
-- One process at a time merges, in its session: the lock is taken before the transaction's snapshot is.
SELECT pg_try_advisory_lock(7307061132);

-- name: rollup_done
SELECT pg_advisory_unlock(7307061132);

-- name: rollup_horizon
-- Up to when every message is certainly visible, and the time now. $1: so long a message is left to itself. $2: how
-- much older than its transaction an id may be; who is later names its ids.
SELECT least(
           now() - $1::interval,
           (
               SELECT min(xact_start)
               FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()
                 AND application_name LIKE 'smsgate%' AND application_name NOT LIKE '%:read'
           ) - $2::interval
       ) AS horizon,
       now() AS now;

-- name: rollup_cursor
SELECT cursor FROM rollup_state FOR UPDATE;

-- name: rollup_cursor_first
-- At the first merge: before the oldest message there is, and none that comes to light later ($1).
INSERT INTO rollup_state (cursor)
SELECT least((SELECT min(id) FROM message), $1)
ON CONFLICT DO NOTHING;

-- name: rollup_cursor_move
UPDATE rollup_state SET cursor = $1, merged_at = $2;

-- name: rollup_changes
-- Those that were accepted late come first, since they have to be counted with the cursor where it is.
SELECT id, kind, message_ids
FROM (
    SELECT id, kind, message_ids, sum(cardinality(message_ids)) OVER (ORDER BY kind DESC, id) AS named
    FROM (SELECT * FROM rollup_change ORDER BY kind DESC, id LIMIT $1) AS first
) AS summed
WHERE named - cardinality(message_ids) < $2
ORDER BY kind DESC, id;

-- name: rollup_changes_merged
DELETE FROM rollup_change WHERE id = ANY($1::bigint[]);

-- name: rollup_changes_waiting
SELECT count(*) FROM rollup_change;

-- name: rollup_late_waiting
SELECT EXISTS (SELECT FROM rollup_change WHERE kind = 1);

-- name: rollup_change_put
INSERT INTO rollup_change (kind, message_ids) VALUES ($1, $2);

-- name: rollup_span_end
-- The id of the message $3 places behind $1, if it is before $2.
SELECT id FROM message WHERE id >= $1 AND id < $2 ORDER BY id OFFSET $3 LIMIT 1;

-- name: rollup_watched
SELECT message_id FROM rollup_watch WHERE message_id = ANY($1::bigint[]) AND message_id BETWEEN $2 AND $3;

-- name: rollup_counted_before
INSERT INTO rollup_folded
SELECT w.message_id, -1, ((w.message_id >> 22) / 900000)::int + $4, k.account, k.category, k.connector, '', k.country,
       k.operator, '', '', w.status, w.reason, '', w.parts, w.flags, w.answer, w.receipt, NULL,
       CASE WHEN cardinality(w.attempts) = 1 THEN w.attempts[1] END,
       CASE WHEN cardinality(w.attempts) > 1 THEN w.attempts END, false, w.key, w.code, w.tags
FROM rollup_watch AS w
JOIN rollup_key AS k ON k.id = w.key
WHERE w.message_id = ANY($1::bigint[]) AND w.message_id BETWEEN $2 AND $3;

-- name: rollup_outcomes
-- Of what was folded of these accounts: what was delivered, and what has a status of $2 for a reason of $3.
SELECT coalesce(array_agg(id) FILTER (WHERE status = 60), '{}') AS delivered,
       coalesce(array_agg(id) FILTER (WHERE status = ANY($2::smallint[])), '{}') AS failed
FROM rollup_folded
WHERE weight = 1 AND account = ANY($1::smallint[])
  AND (status = 60 OR (status = ANY($2::smallint[]) AND reason = ANY($3::smallint[])));

-- name: rollup_unwatched
-- Of messages that are not watched: who is there, and who could still change. They are not counted.
WITH taken AS (DELETE FROM rollup_folded WHERE id = ANY($1::bigint[]) RETURNING id, settled)
SELECT m.id, coalesce(taken.settled, true) AS settled, taken.id IS NOT NULL AS folded
FROM message AS m
LEFT JOIN taken USING (id)
WHERE m.id = ANY($1::bigint[]) AND m.id BETWEEN $2 AND $3;

-- name: rollup_dirty
INSERT INTO rollup_day_state AS s (day, dirty_since)
SELECT DISTINCT day, now() FROM unnest($1::integer[]) AS named (day)
ON CONFLICT (day) DO UPDATE SET dirty_since = coalesce(s.dirty_since, excluded.dirty_since);
