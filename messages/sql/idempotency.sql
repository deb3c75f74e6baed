-- name: idempotency_claim
-- The keys that are free, or whose 24 hours are over ($7: the lowest id within them). Each is named once.
-- A refusal, which the release before this one kept, leaves its key free.
INSERT INTO idempotency (account, endpoint, key, fingerprint, first_id, owner)
SELECT new.*, $6::bigint
FROM unnest($1::smallint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[])
     AS new (account, endpoint, key, fingerprint, first_id)
ON CONFLICT (account, endpoint, key) DO UPDATE
SET fingerprint = excluded.fingerprint, first_id = excluded.first_id, owner = excluded.owner,
    status = NULL, content_type = NULL, location = NULL, answer = NULL, answer_enc = NULL
WHERE idempotency.first_id < $7 OR idempotency.status >= 300
RETURNING first_id;

-- name: idempotency_row
-- `ended`: the process that has it is gone, and so are its sessions.
SELECT i.fingerprint, i.owner, i.first_id, i.status, i.content_type, i.location, i.answer, i.answer_enc,
       t.ended_at IS NOT NULL AS ended
FROM idempotency AS i
LEFT JOIN owner_term AS t ON t.term = i.owner
WHERE i.account = $1 AND i.endpoint = $2 AND i.key = $3;

-- name: idempotency_begin
UPDATE idempotency SET fingerprint = $4, first_id = $5 WHERE account = $1 AND endpoint = $2 AND key = $3;

-- name: idempotency_take_over
-- From a process that died over it; and back, when its successor fails.
UPDATE idempotency SET owner = $5
WHERE account = $1 AND endpoint = $2 AND key = $3 AND owner = $4 AND status IS NULL;

-- name: idempotency_answer
UPDATE idempotency SET status = $5, content_type = $6, location = $7, answer = $8, answer_enc = $9
WHERE account = $1 AND endpoint = $2 AND key = $3 AND first_id = $4;

-- name: idempotency_free
-- Nothing was stored for it.
DELETE FROM idempotency
WHERE account = $1 AND endpoint = $2 AND key = $3 AND first_id = $4 AND status IS NULL;

-- name: idempotency_purge
DELETE FROM idempotency
WHERE (account, endpoint, key) IN (
    SELECT account, endpoint, key FROM idempotency
    WHERE first_id < $1
    ORDER BY first_id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);

-- name: stored_texts
SELECT id, text FROM message WHERE id = ANY($1::bigint[]);
