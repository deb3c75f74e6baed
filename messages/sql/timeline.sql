-- name: messages
-- Messages of one account, each with its place in the outbox if it has one and whether an intent names it.
SELECT m.id, m.account, m.category, m.connector, m.data_coding, m.parts, m.sender, m.to_enc, m.text, m.client_ref,
       m.batch_id, m.campaign_id, m.variant, m.tags, m.callback, m.expires_at, (m.options ->> 'send_at')::bigint AS send_at,
       o.id IS NOT NULL AS waiting, o.attempt, o.not_before, b.state AS batch_state, b.changed_at, o.in_doubt,
       CASE WHEN o.not_before > now() THEN o.hold END AS hold,
       CASE WHEN o.not_before <= now() THEN o.not_before END AS released_at,
       EXISTS (SELECT 1 FROM submit_intent AS i WHERE m.id = ANY(i.message_ids)) AS intended
FROM message AS m
LEFT JOIN outbox AS o ON o.id = m.id
LEFT JOIN batch_control AS b ON b.id = o.batch_id
WHERE m.id = ANY($1::bigint[]) AND m.account = $2;

-- name: submissions_of_messages
-- A submission is made after its message, so the id bounds the partitions that are looked at.
SELECT message_id, id, part, parts, segments, connector, status, reason, error, carrier_id, submitted_at,
       responded_at, receipt_at, done_at, replaced
FROM submission
WHERE message_id = ANY($1::bigint[]) AND id >= $2
ORDER BY message_id, part, id;

-- name: last_events
-- When the last thing happened to each message that its other rows do not tell.
SELECT message_id, max(id) AS id FROM event WHERE message_id = ANY($1::bigint[]) AND id >= $2 GROUP BY message_id;
