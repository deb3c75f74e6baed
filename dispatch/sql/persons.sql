-- name: person_inbound
SELECT * FROM inbound_message
WHERE from_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
ORDER BY id;

-- name: person_inbound_erase
WITH found AS (
    SELECT id FROM inbound_message
    WHERE from_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2)) AND id < $3
    LIMIT $4
), changed AS (
    UPDATE inbound_message AS i
    SET from_idx = uuid_send(gen_random_uuid()), from_enc = '', text = '', fingerprint = uuid_send(gen_random_uuid())
    FROM found
    WHERE i.id = found.id
    RETURNING i.id
)
SELECT count(*) FROM changed;

-- name: person_inbound_parts
SELECT * FROM inbound_part WHERE from_enc = ANY($1::bytea[]) AND $2::smallint[] IS NULL ORDER BY id;

-- name: person_inbound_parts_erase
-- Parts that belong to a message; the others become one soon, or are given up.
WITH found AS (
    SELECT id FROM inbound_part
    WHERE from_enc = ANY($1::bytea[]) AND $2::smallint[] IS NULL AND id < $3 AND inbound_id IS NOT NULL
    LIMIT $4
), changed AS (
    DELETE FROM inbound_part AS p USING found WHERE p.id = found.id RETURNING p.id
)
SELECT count(*) FROM changed;

-- name: person_parts_wait
SELECT EXISTS (
    SELECT FROM inbound_part
    WHERE from_enc = ANY($1::bytea[]) AND $2::smallint[] IS NULL AND id < $3 AND inbound_id IS NULL
);

-- name: person_raw
SELECT * FROM raw_delivery WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3;

-- name: person_raw_erase
DELETE FROM raw_delivery WHERE id = ANY($1::bigint[]);
