-- name: consent_sealed
SELECT id AS id, to_enc AS enc, to_idx AS idx FROM consent WHERE id > $1 ORDER BY id LIMIT $2;

-- name: consent_seal
UPDATE consent AS t SET to_enc = m.enc, to_idx = m.idx
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (id, stored, enc, idx)
WHERE t.id = m.id AND t.to_enc = m.stored AND t.id BETWEEN $5 AND $6;

-- name: complaint_sealed
SELECT id AS id, to_enc AS enc, to_idx AS idx FROM complaint WHERE id > $1 ORDER BY id LIMIT $2;

-- name: complaint_seal
UPDATE complaint AS t SET to_enc = m.enc, to_idx = m.idx
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (id, stored, enc, idx)
WHERE t.id = m.id AND t.to_enc = m.stored AND t.id BETWEEN $5 AND $6;

-- name: preference_sealed
SELECT account, category, to_idx, to_enc FROM preference
WHERE (account, category, to_idx) > ($1::smallint, $2::smallint, $3::bytea)
ORDER BY account, category, to_idx
LIMIT $4;

-- name: preference_seal
-- Of wishes that come together the latest stays.
WITH moves AS (
    SELECT * FROM unnest($1::smallint[], $2::smallint[], $3::bytea[], $4::bytea[], $5::bytea[])
        AS m (account, category, stored, idx, enc)
), gone AS (
    DELETE FROM preference AS p USING moves AS m
    WHERE p.account = m.account AND p.category = m.category AND p.to_idx = m.stored
    RETURNING p.account, p.category, m.idx, m.enc, p.month_max, p.days, p.message_id, p.updated_at
)
INSERT INTO preference AS there (account, category, to_idx, to_enc, month_max, days, message_id, updated_at)
SELECT DISTINCT ON (account, category, idx) account, category, idx, enc, month_max, days, message_id, updated_at
FROM gone
ORDER BY account, category, idx, updated_at DESC
ON CONFLICT (account, category, to_idx) DO UPDATE
SET month_max = excluded.month_max, days = excluded.days, message_id = excluded.message_id, updated_at = excluded.updated_at
WHERE excluded.updated_at > there.updated_at;

-- name: erasure_sealed
-- Those under way: the others hold no number any more.
SELECT id, number_enc AS enc, number_idx AS idx
FROM person_erasure
WHERE id > $1 AND number_enc IS NOT NULL
ORDER BY id
LIMIT $2;

-- name: erasure_seal
UPDATE person_erasure AS t SET number_enc = m.enc, number_idx = m.idx
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (id, stored, enc, idx)
WHERE t.id = m.id AND t.number_enc = m.stored AND t.id BETWEEN $5 AND $6;
