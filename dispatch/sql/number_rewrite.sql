-- name: inbound_message_sealed
SELECT id AS id, from_enc AS enc, from_idx AS idx FROM inbound_message WHERE id > $1 ORDER BY id LIMIT $2;

-- name: inbound_message_seal
UPDATE inbound_message AS t SET from_enc = m.enc, from_idx = m.idx
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (id, stored, enc, idx)
WHERE t.id = m.id AND t.from_enc = m.stored AND t.id BETWEEN $5 AND $6;

-- name: inbound_part_sealed
SELECT id AS id, from_enc AS enc, NULL::bytea AS idx FROM inbound_part WHERE id > $1 ORDER BY id LIMIT $2;

-- name: inbound_part_seal
UPDATE inbound_part AS t SET from_enc = m.enc
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (id, stored, enc, idx)
WHERE t.id = m.id AND t.from_enc = m.stored AND t.id BETWEEN $5 AND $6;

-- name: raw_delivery_sealed
SELECT id AS id, body_enc AS enc, NULL::bytea AS idx FROM raw_delivery WHERE id > $1 ORDER BY id LIMIT $2;

-- name: raw_delivery_seal
UPDATE raw_delivery AS t SET body_enc = m.enc
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (id, stored, enc, idx)
WHERE t.id = m.id AND t.body_enc = m.stored AND t.id BETWEEN $5 AND $6;
