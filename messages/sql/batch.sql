-- name: batches_known
-- Every batch that is not as it was accepted: messages/control/batches.py bounds how many there are.
SELECT id, until_id, state, rate FROM batch_control WHERE live ORDER BY id;

-- name: batches_live
SELECT count(*) FROM batch_control WHERE live;

-- name: batch
SELECT id, account, until_id, state, rate, live, changed_at, campaign FROM batch_control WHERE id = $1 AND account = $2;

-- name: batch_change
UPDATE batch_control SET state = $2, rate = $3, live = $4, changed_at = clock_timestamp() WHERE id = $1;

-- name: batch_in_flight
-- Messages that open intents name and that have no result yet: they are written, or will be within moments. At most:
-- what was refused and is in memory again counts until the last of its intent has its result.
SELECT count(*)
FROM (SELECT DISTINCT unnest(message_ids) AS id FROM submit_intent) AS named
JOIN outbox AS o ON o.id = named.id
WHERE o.batch_id = $1 AND o.owner <> 0;

-- name: batch_lock
-- One process at a time ends what a canceled batch left; another goes on if it dies.
SELECT id FROM batch_control WHERE id = $1 AND state = 2 AND live FOR UPDATE SKIP LOCKED;

-- name: batch_sweep
-- Takes a slice of a canceled batch out of the outbox. What a process holds in memory it puts back first.
DELETE FROM outbox
WHERE id IN (
    SELECT id FROM outbox
    WHERE id > $2 AND id <= $3 AND batch_id = $1 AND owner = 0
    ORDER BY id
    LIMIT $4
    FOR UPDATE SKIP LOCKED
)
RETURNING id, connector, category, account, parts, in_doubt, way,
    EXISTS (
        SELECT FROM submission AS s
        WHERE s.message_id = outbox.id AND s.id >= outbox.id AND s.part > 0 AND NOT s.replaced
    ) AS begun;

-- name: batch_forget
-- Nothing of it waits any more: no process has to know of it.
UPDATE batch_control AS b SET live = false
WHERE b.id = ANY($1::bigint[]) AND b.live
  AND NOT EXISTS (SELECT 1 FROM outbox AS o WHERE o.id > b.id AND o.id <= b.until_id AND o.batch_id = b.id);

-- name: batch_purge
-- Batches whose messages are all gone; those that every process has to know of wait for the end of that.
DELETE FROM batch_control
WHERE id IN (
    SELECT id FROM batch_control
    WHERE id < $1 AND until_id < $1 AND NOT live
    ORDER BY id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);
