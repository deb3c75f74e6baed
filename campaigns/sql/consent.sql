-- name: consent_standing
-- What holds for these recipients: the latest word each of them gave an account about a category.
SELECT DISTINCT ON (to_idx, account, category) to_idx, account, category, granted
FROM consent
WHERE to_idx = ANY($1::bytea[]) AND account = ANY($2::smallint[])
ORDER BY to_idx, account, category, at DESC, id DESC;

-- name: consent_add
INSERT INTO consent (account, category, to_idx, to_enc, granted, source, text_version, evidence, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING id, recorded_at;

-- name: consents
-- An account's ledger, the latest first, of one number or of all ($2 NULL), before an id.
SELECT id, category, to_enc, granted, source, text_version, evidence, at, recorded_at
FROM consent
WHERE account = $1 AND ($2::bytea IS NULL OR to_idx = $2) AND id < $3
ORDER BY id DESC
LIMIT $4;
