-- name: raw_keep
-- After a COMMIT in doubt some may stand already.
INSERT INTO raw_delivery (id, connector, receipt, unclear, octets, cut, body_enc)
SELECT * FROM unnest(
    $1::bigint[], $2::smallint[], $3::boolean[], $4::text[], $5::integer[], $6::boolean[], $7::bytea[]
)
ON CONFLICT (id) DO NOTHING;

-- name: raw_list
SELECT id, connector, receipt, unclear, octets, cut, body_enc, reread_at, outcome
FROM raw_delivery
WHERE connector = $1 AND id >= $2 AND id < $3 AND ($4::text IS NULL OR unclear = $4)
ORDER BY id DESC
LIMIT $5;

-- name: raw_to_reread
-- Behind a place, oldest first; what another reread holds is left to it.
SELECT id, octets, cut, unclear, body_enc
FROM raw_delivery
WHERE connector = $1 AND id > $2 AND id < $3 AND reread_at IS NULL AND receipt AND unclear = ANY($4::text[])
ORDER BY id
LIMIT $5
FOR UPDATE SKIP LOCKED;

-- name: raw_reread
UPDATE raw_delivery AS r SET reread_at = now(), outcome = done.outcome
FROM unnest($1::bigint[], $2::text[]) AS done (id, outcome)
WHERE r.id = done.id AND r.id BETWEEN $3 AND $4;
