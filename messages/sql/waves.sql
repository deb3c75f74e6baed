-- name: wave_reach
INSERT INTO batch_control AS b (id, account, until_id, campaign) VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE SET until_id = greatest(b.until_id, excluded.until_id), campaign = excluded.campaign;

-- name: waves_turn
-- In one order everywhere. $4: whose waves they are.
UPDATE batch_control AS b SET state = $2, live = $3 OR b.rate IS NOT NULL, campaign = $4, changed_at = clock_timestamp()
FROM (SELECT id FROM batch_control WHERE id = ANY($1::bigint[]) AND state NOT IN (2, $2) ORDER BY id FOR UPDATE) AS which
WHERE b.id = which.id;

-- name: waves_let_go
UPDATE batch_control AS b SET campaign = NULL
FROM (SELECT id FROM batch_control WHERE id = ANY($1::bigint[]) AND campaign IS NOT NULL ORDER BY id FOR UPDATE) AS which
WHERE b.id = which.id;

-- name: waves_in_flight
-- As batch_in_flight, of several batches.
SELECT count(*)
FROM (SELECT DISTINCT unnest(message_ids) AS id FROM submit_intent) AS named
JOIN outbox AS o ON o.id = named.id
WHERE o.batch_id = ANY($1::bigint[]) AND o.owner <> 0;

-- name: waves_waiting
SELECT count(*)
FROM (
    SELECT
    FROM batch_control AS b
    JOIN outbox AS o ON o.id BETWEEN b.id AND b.until_id AND o.batch_id = b.id
    WHERE b.id = ANY($1::bigint[])
    LIMIT $2
) AS found;

-- name: wave_until
SELECT until_id FROM batch_control WHERE id = $1;
