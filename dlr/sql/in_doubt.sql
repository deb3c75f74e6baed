-- name: in_doubt_lock
SELECT message_id, connector
FROM submission
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND account = $3 AND status = $4
ORDER BY id
FOR UPDATE;

-- name: in_doubt_mark
UPDATE submission SET error = $4
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND status = $3;

-- name: in_doubt_drop
UPDATE submission SET status = $4, reason = $5, error = 'dropped'
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND status = $3;
