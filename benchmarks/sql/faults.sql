-- What a run of faults asks the gateway's own tables.

-- name: doubts
-- The policy that was followed each time a message was in doubt.
SELECT message_id, detail ->> 'policy' AS policy
FROM event
WHERE kind = 'in_doubt'
ORDER BY id;

-- name: untold
-- Messages whose webhook failed and waits for its next attempt.
SELECT DISTINCT e.subject
FROM webhook_delivery AS d
JOIN webhook_event AS e ON e.id = ANY (d.event_ids)
WHERE d.attempt > 0 AND d.next_at > now();
