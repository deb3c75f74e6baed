-- name: in_doubt_lock
SELECT message_id, connector
FROM submission
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND account = $3 AND status = $4
ORDER BY id
FOR UPDATE;

-- name: in_doubt_mark
-- The row of a message that was stopped while it was in doubt has no part of its own to be the best of: it goes.
WITH stopped AS (
    DELETE FROM submission WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND status = $3 AND part = 0
)
UPDATE submission SET error = $4
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND status = $3 AND part > 0;

-- name: in_doubt_drop
UPDATE submission SET status = $4, reason = $5, error = 'dropped'
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND status = $3;
