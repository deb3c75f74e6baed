-- name: preference_read
SELECT p.account, p.category, p.to_idx, p.month_max, p.days
FROM preference AS p
JOIN unnest($1::smallint[], $2::smallint[], $3::bytea[]) AS asked (account, category, to_idx)
    USING (account, category, to_idx);

-- name: preference_put
INSERT INTO preference (account, category, to_idx, to_enc, month_max, days, message_id, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (account, category, to_idx) DO UPDATE
SET to_enc = excluded.to_enc, month_max = excluded.month_max, days = excluded.days, message_id = excluded.message_id,
    updated_at = excluded.updated_at;

-- name: preference_drop
DELETE FROM preference WHERE account = $1 AND category = $2 AND to_idx = $3;
