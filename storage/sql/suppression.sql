-- name: suppression_look_up
-- Every entry of these recipients; which of them applies is decided by account and category in the caller.
SELECT to_idx, account, category, reason
FROM suppression
WHERE to_idx = ANY($1::bytea[]) AND (expires_at IS NULL OR expires_at > now());

-- name: suppression_add
-- An older entry keeps its evidence, unless it has expired.
INSERT INTO suppression AS old (to_idx, account, category, reason, source, message_id, detail, created_at, expires_at)
SELECT to_idx, account, category, reason, source, message_id, detail, coalesce(created_at, now()), expires_at
FROM unnest(
    $1::bytea[], $2::smallint[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[], $7::text[],
    $8::timestamptz[], $9::timestamptz[]
) AS new (to_idx, account, category, reason, source, message_id, detail, created_at, expires_at)
ON CONFLICT (to_idx, account, category) DO UPDATE
SET reason = excluded.reason, source = excluded.source, message_id = excluded.message_id, detail = excluded.detail,
    created_at = excluded.created_at, expires_at = excluded.expires_at
WHERE old.expires_at <= now()
RETURNING to_idx, account, category;

-- name: suppression_remove
DELETE FROM suppression AS s
USING unnest($1::bytea[], $2::smallint[], $3::smallint[]) AS gone (to_idx, account, category)
WHERE s.to_idx = gone.to_idx AND s.account = gone.account AND s.category = gone.category
RETURNING s.to_idx, s.account, s.category;

-- name: suppression_undo_keyword
-- What a number's own words had put there: for this account, or by a text to this very number.
DELETE FROM suppression AS s
USING unnest($1::bytea[], $2::smallint[], $3::text[]) AS gone (to_idx, account, destination)
WHERE s.to_idx = gone.to_idx AND s.source = 'keyword' AND (s.account = gone.account OR s.detail = gone.destination)
RETURNING s.to_idx, s.account, s.category;

-- name: suppression_of_number
SELECT account, category, reason, source, message_id, detail, created_at, expires_at
FROM suppression
WHERE to_idx = $1 AND account = ANY($2::smallint[])
ORDER BY created_at DESC, account, category;

