-- name: in_doubt_lock
SELECT message_id, connector, way
FROM submission
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND account = $3 AND status = $4 AND NOT replaced
ORDER BY id
FOR UPDATE;

-- name: in_doubt_mark
-- Marks the rows of parts in doubt. A message that was stopped while in doubt has a row without a part; it is deleted.
WITH stopped AS (
    DELETE FROM submission WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND status = $3 AND part = 0
)
UPDATE submission SET error = $4
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND status = $3 AND part > 0;

-- name: in_doubt_drop
UPDATE submission SET status = $4, reason = $5, error = 'dropped'
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND status = $3;

-- name: in_doubt_answered
-- What was decided about these meanwhile stays where it ranks higher. Answers with those that are there.
UPDATE submission AS s
SET status = greatest(s.status, late.status), responded_at = late.responded_at,
    carrier_id = coalesce(s.carrier_id, late.carrier_id),
    error = CASE WHEN s.status < late.status THEN NULL ELSE s.error END
FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::timestamptz[])
    AS late (id, status, carrier_id, responded_at)
WHERE s.id = late.id AND s.id BETWEEN $5 AND $6
RETURNING s.id;
