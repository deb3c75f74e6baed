-- name: suppression_look_up
-- Every entry of these recipients; which of them applies is decided by account and category in the caller.
SELECT to_idx, account, category, reason
FROM suppression
WHERE to_idx = ANY($1::bytea[]);

-- name: suppression_add
INSERT INTO suppression (to_idx, account, category, reason, source, message_id, detail)
SELECT * FROM unnest(
    $1::bytea[], $2::smallint[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[], $7::text[]
)
ON CONFLICT (to_idx, account, category) DO NOTHING
RETURNING to_idx;
