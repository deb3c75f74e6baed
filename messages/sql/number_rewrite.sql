-- name: message_sealed
SELECT id AS id, to_enc AS enc, to_idx AS idx FROM message WHERE id > $1 ORDER BY id LIMIT $2;

-- name: message_seal
UPDATE message AS t SET to_enc = m.enc, to_idx = m.idx
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (id, stored, enc, idx)
WHERE t.id = m.id AND t.to_enc = m.stored AND t.id BETWEEN $5 AND $6;

-- name: idempotency_sealed
SELECT first_id AS id, answer_enc AS enc, NULL::bytea AS idx FROM idempotency WHERE first_id > $1 ORDER BY first_id LIMIT $2;

-- name: idempotency_seal
UPDATE idempotency AS t SET answer_enc = m.enc
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (id, stored, enc, idx)
WHERE t.first_id = m.id AND t.answer_enc = m.stored AND t.first_id BETWEEN $5 AND $6;
