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

-- name: in_doubt_answered
INSERT INTO submission AS s (
    id, message_id, part, parts, account, category, connector, status, reason, error, carrier_id,
    submitted_at, responded_at, receipt_at, done_at, segments
)
SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::smallint[], $4::smallint[], $5::smallint[], $6::smallint[],
    $7::smallint[], $8::smallint[], $9::smallint[], $10::text[], $11::text[],
    $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::smallint[]
)
ON CONFLICT (id) DO UPDATE
SET status = greatest(s.status, excluded.status), responded_at = excluded.responded_at,
    carrier_id = coalesce(s.carrier_id, excluded.carrier_id),
    error = CASE WHEN s.status < excluded.status THEN NULL ELSE s.error END;
