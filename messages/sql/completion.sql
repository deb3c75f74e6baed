-- name: completion_alone
-- One process at a time tells of batches that have ended.
SELECT pg_try_advisory_xact_lock(7307061128);

-- name: batches_untold
-- Batches of a stretch of ids, of accounts that want to hear of this event, of which it was not told yet.
SELECT b.id, b.account, b.until_id
FROM batch_control AS b
WHERE b.id > $1 AND b.id < $2
  AND EXISTS (
      SELECT FROM webhook_endpoint AS w
      WHERE w.account = b.account AND w.deleted_at IS NULL AND w.events && ARRAY[$3::text, 'batch.*']
  )
  AND NOT EXISTS (SELECT FROM webhook_event AS e WHERE e.subject = b.id AND e.id > b.id AND e.type = $3)
ORDER BY b.id
LIMIT $4;

-- name: batch_ended
-- Nothing of the batch waits, and no part of it awaits its receipt or somebody's word. What was submitted of these ids is
-- read once, and of what is left each message is looked up. Of new tables the planner would make a loop of loops.
SELECT NOT EXISTS (
        SELECT FROM outbox AS o WHERE o.id BETWEEN $1 AND $2 AND o.batch_id = $1
    ) AND NOT EXISTS (
        SELECT
        FROM submission AS s
        WHERE s.id >= $1 AND s.message_id BETWEEN $1 AND $2 AND s.status IN ($3, $4)
          AND NOT s.replaced AND NOT (s.status = $4 AND s.error IS NOT DISTINCT FROM 'resent')
          AND (SELECT m.batch_id FROM message AS m WHERE m.id = s.message_id) = $1
    );
