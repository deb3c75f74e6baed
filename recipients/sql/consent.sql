-- name: consent_standing
-- What holds for these recipients: the latest word each of them gave an account about a category.
SELECT DISTINCT ON (to_idx, account, category) to_idx, account, category, granted
FROM consent
WHERE to_idx = ANY($1::bytea[]) AND account = ANY($2::smallint[])
ORDER BY to_idx, account, category, at DESC, id DESC;

-- name: consent_of_forms
-- The same where some recipients are looked for under several indexes: of form i the recipient is subscriber i.
SELECT DISTINCT ON (form.subscriber, c.account, c.category) form.subscriber AS to_idx, c.account, c.category, c.granted
FROM unnest($1::bytea[], $2::bytea[]) AS form (to_idx, subscriber)
JOIN consent AS c ON c.to_idx = form.to_idx
WHERE c.account = ANY($3::smallint[])
ORDER BY form.subscriber, c.account, c.category, c.at DESC, c.id DESC;

-- name: consent_words_beside
-- Words come in beside each other. Whoever writes by what was said before waits for these, and they for it.
SELECT pg_advisory_xact_lock_shared(7307061172);

-- name: consent_words_alone
SELECT pg_advisory_xact_lock(7307061172);

-- name: consent_add
INSERT INTO consent
    (account, category, to_idx, to_enc, granted, source, text_version, evidence, at, purpose, channel, operator, address,
     incentive)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
RETURNING id, recorded_at;

-- name: consents
-- An account's ledger, the latest first, of one number or of all ($2 NULL), before an id.
SELECT id, category, to_enc, granted, source, text_version, evidence, at, purpose, channel, operator, address, incentive,
       recorded_at
FROM consent
WHERE account = $1 AND ($2::bytea[] IS NULL OR to_idx = ANY($2::bytea[])) AND id < $3
ORDER BY id DESC
LIMIT $4;

-- name: consent_page
SELECT id, to_idx, to_enc FROM consent WHERE id > $1 ORDER BY id LIMIT $2;

-- name: consent_move
UPDATE consent AS c
SET to_idx = moved.to_idx
FROM unnest($1::bigint[], $2::bytea[]) AS moved (id, to_idx)
WHERE c.id = moved.id;
