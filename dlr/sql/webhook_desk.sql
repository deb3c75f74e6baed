-- name: webhook_waiting_listed
SELECT id, event_ids, url, attempt, next_at
FROM webhook_delivery
WHERE endpoint = $1 AND id > $2
ORDER BY id
LIMIT $3;

-- name: webhook_log_listed
SELECT a.id, a.delivery, a.attempt, a.state, a.event_ids, a.url, a.status, a.error, a.ms, a.answer
FROM webhook_attempt AS a
WHERE a.endpoint = $1 AND a.id >= $2 AND a.id < $3 AND a.state = ANY($4::smallint[])
  AND ($5::text[] IS NULL OR EXISTS (
      SELECT FROM webhook_event AS e WHERE e.id = ANY(a.event_ids) AND e.type = ANY($5)
  ))
ORDER BY a.id DESC
LIMIT $6;

-- name: webhook_types
SELECT id, type FROM webhook_event WHERE id = ANY($1::bigint[]) AND id BETWEEN $2 AND $3;

-- name: webhook_redeliver_waiting
UPDATE webhook_delivery SET next_at = $3, replayed = false WHERE endpoint = $1 AND id = $2 RETURNING id;

-- name: webhook_redeliver_logged
-- As its last attempt was. What was never attempted was never a delivery: that is for a replay.
INSERT INTO webhook_delivery (id, endpoint, event_ids, url, next_at, frozen, full_numbers)
SELECT a.delivery, a.endpoint, a.event_ids, a.url, $3, true, a.full_numbers
FROM webhook_attempt AS a
WHERE a.endpoint = $1 AND a.delivery = $2 AND a.attempt > 0
  AND EXISTS (SELECT FROM webhook_event AS e WHERE e.id = ANY(a.event_ids))
ORDER BY a.id DESC
LIMIT 1
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: webhook_log_replayable
SELECT id, url, event_ids
FROM webhook_attempt
WHERE endpoint = $1 AND id >= $2 AND id < $3 AND state = ANY($4::smallint[])
ORDER BY id
LIMIT $5;

-- name: webhook_events_replayable
-- Those of these events that are kept, are of one of the types ($5; NULL: any) and do not wait already.
WITH waiting AS MATERIALIZED (
    SELECT DISTINCT unnest(event_ids) AS id FROM webhook_delivery WHERE endpoint = $1
)
SELECT e.id, octet_length(e.body) AS octets
FROM webhook_event AS e
WHERE e.id = ANY($2::bigint[]) AND e.id BETWEEN $3 AND $4 AND ($5::text[] IS NULL OR e.type = ANY($5))
  AND NOT EXISTS (SELECT FROM waiting WHERE waiting.id = e.id)
ORDER BY e.id;

-- name: webhook_open_replayed
INSERT INTO webhook_delivery (id, endpoint, event_ids, url, next_at, replayed)
SELECT again.id, $1, ARRAY(SELECT each::bigint FROM jsonb_array_elements_text(again.event_ids::jsonb) AS each),
       again.url, again.next_at, true
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::timestamptz[]) AS again (id, event_ids, url, next_at);
