-- name: person_consents
SELECT * FROM consent
WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
ORDER BY id;

-- name: person_consents_erase
-- $3: what was recorded since is a word of its own.
WITH found AS (
    SELECT id FROM consent
    WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
      AND recorded_at < timestamptz '2024-01-01T00:00:00Z' + ($3::bigint >> 22) * interval '1 millisecond'
    LIMIT $4
), changed AS (
    DELETE FROM consent AS c USING found WHERE c.id = found.id RETURNING c.id
)
SELECT count(*) FROM changed;

-- name: person_frequencies
SELECT * FROM frequency
WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
ORDER BY account, category;

-- name: person_frequencies_erase
WITH found AS (
    SELECT account, category, to_idx FROM frequency
    WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
    LIMIT $3
), changed AS (
    DELETE FROM frequency AS f USING found
    WHERE f.account = found.account AND f.category = found.category AND f.to_idx = found.to_idx
    RETURNING f.account
)
SELECT count(*) FROM changed;

-- name: person_complaints
SELECT * FROM complaint
WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
ORDER BY id;

-- name: person_complaints_erase
-- That somebody complained goes on to count.
WITH found AS (
    SELECT id FROM complaint
    WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2)) AND id < $3
    LIMIT $4
), changed AS (
    UPDATE complaint AS c
    SET to_idx = uuid_send(gen_random_uuid()), to_enc = '', fingerprint = uuid_send(gen_random_uuid()), text = NULL,
        source_name = NULL
    FROM found
    WHERE c.id = found.id
    RETURNING c.id
)
SELECT count(*) FROM changed;

-- name: person_preferences
SELECT * FROM preference
WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
ORDER BY account, category;

-- name: person_preferences_erase
-- Who was erased gets no more than they wished: index, wish and date stay.
WITH found AS (
    SELECT account, category, to_idx FROM preference
    WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
      AND (to_enc <> '' OR message_id <> 0)
    LIMIT $3
), changed AS (
    UPDATE preference AS p SET to_enc = '', message_id = 0 FROM found AS f
    WHERE p.account = f.account AND p.category = f.category AND p.to_idx = f.to_idx
    RETURNING p.account
)
SELECT count(*) FROM changed;

-- name: person_erasure_add
INSERT INTO person_erasure (id, account, number_enc, number_idx) VALUES ($1, $2, $3, $4);

-- name: person_erasure_lock
-- One request after another, so that two for one person are one.
SELECT pg_advisory_xact_lock(7307061141);

-- name: person_erasure_open
-- One of this person that is not done, for the same account or for all.
SELECT * FROM person_erasure
WHERE finished_at IS NULL AND number_idx = $1 AND account IS NOT DISTINCT FROM $2::smallint
ORDER BY id
LIMIT 1;

-- name: person_erasure_next
-- The next one that is not done and that nobody is at.
SELECT * FROM person_erasure
WHERE finished_at IS NULL AND id > $1
ORDER BY id
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: person_erasure_moved
UPDATE person_erasure SET step = $2, place = $3, waits = $4, counts = $5 WHERE id = $1;

-- name: person_erasure_done
UPDATE person_erasure
SET step = $2, place = 0, waits = false, counts = $3, number_enc = NULL, number_idx = NULL, finished_at = now()
WHERE id = $1;

-- name: person_erasure
SELECT * FROM person_erasure WHERE id = $1 AND ($2::smallint IS NULL OR account = $2);
