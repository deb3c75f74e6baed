-- name: webhook_change_put
INSERT INTO webhook_change (id, changes) VALUES ($1, $2);

-- name: webhook_change_put_if_wanted
INSERT INTO webhook_change (id, changes)
SELECT $1, $2
WHERE EXISTS (SELECT FROM webhook_endpoint WHERE deleted_at IS NULL)
   OR EXISTS (SELECT FROM webhook_callback_secret);

-- name: webhook_accounts
SELECT id, account FROM message WHERE id = ANY($1::bigint[]) AND id BETWEEN $2 AND $3;

-- name: webhook_change_waits
SELECT EXISTS (SELECT FROM webhook_change);

-- name: webhook_fan_out_alone
-- One process at a time makes events of changes, so that each message's are made in order.
SELECT pg_try_advisory_xact_lock(7307061127);

-- name: webhook_changes
SELECT id, changes FROM webhook_change ORDER BY id LIMIT $1;

-- name: webhook_changes_done
DELETE FROM webhook_change WHERE id = ANY($1::bigint[]);

-- name: webhook_messages
-- What an event tells of its message, and the last that was told of it. An event's id may be a little older than its
-- message's where two processes' clocks are apart ($2).
SELECT m.id, m.account, m.category, m.parts, m.sender, m.to_enc, m.client_ref, m.batch_id, m.campaign_id, m.variant,
       m.tags, m.callback, told.sequence, told.status
FROM message AS m
LEFT JOIN LATERAL (
    SELECT e.sequence, e.status
    FROM webhook_event AS e
    WHERE e.subject = m.id AND e.id >= m.id - $2::bigint
    ORDER BY e.sequence DESC
    LIMIT 1
) AS told ON true
WHERE m.id = ANY($1::bigint[]) AND m.id BETWEEN $3 AND $4;

-- name: webhook_parts
-- Of each part the row that ranks highest. What is in doubt and was submitted once more says nothing.
SELECT DISTINCT ON (s.message_id, s.part) s.message_id, s.part, s.parts, s.status, s.reason, s.error, s.done_at,
       s.way
FROM submission AS s
WHERE s.message_id = ANY($1::bigint[]) AND s.id >= $2 AND NOT s.replaced
  AND NOT (s.status = 5 AND s.error IS NOT DISTINCT FROM 'resent')
ORDER BY s.message_id, s.part, s.status DESC, s.reason DESC;

-- name: webhook_event_bodies
SELECT id, type, subject, body, number_enc FROM webhook_event WHERE id = ANY($1::bigint[]) AND id BETWEEN $2 AND $3;
