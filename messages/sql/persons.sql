-- name: person_messages
SELECT m.*
FROM unnest($1::bytea[]) AS whose (idx)
JOIN message AS m ON m.to_idx = whose.idx
WHERE $2::smallint[] IS NULL OR m.account = ANY($2)
ORDER BY m.id;

-- name: person_messages_erase
-- What waits is spared: it is looked for again later. The new index is nobody's.
WITH found AS (
    SELECT m.id
    FROM unnest($1::bytea[]) AS whose (idx)
    JOIN message AS m ON m.to_idx = whose.idx
    WHERE ($2::smallint[] IS NULL OR m.account = ANY($2)) AND m.id < $3
      AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.id = m.id)
    LIMIT $4
), changed AS (
    UPDATE message AS m
    SET to_idx = uuid_send(gen_random_uuid()), to_enc = '', text = '', options = NULL, callback = NULL
    FROM found
    WHERE m.id = found.id
    RETURNING m.id
)
SELECT count(*) FROM changed;

-- name: person_references
SELECT r.account, r.client_ref, r.message_id
FROM unnest($1::bytea[]) AS whose (idx)
JOIN message AS m ON m.to_idx = whose.idx
JOIN client_ref AS r ON r.message_id = m.id
WHERE $2::smallint[] IS NULL OR m.account = ANY($2)
ORDER BY r.message_id;

-- name: person_references_erase
-- A reference is still taken; what it was used for is no longer told.
WITH found AS (
    SELECT r.account, r.client_ref
    FROM unnest($1::bytea[]) AS whose (idx)
    JOIN message AS m ON m.to_idx = whose.idx
    JOIN client_ref AS r ON r.message_id = m.id
    WHERE ($2::smallint[] IS NULL OR m.account = ANY($2)) AND m.id < $3 AND r.fingerprint IS NOT NULL
    LIMIT $4
), changed AS (
    UPDATE client_ref AS r
    SET fingerprint = NULL
    FROM found
    WHERE r.account = found.account AND r.client_ref = found.client_ref
    RETURNING r.message_id
)
SELECT count(*) FROM changed;

-- name: person_waits
-- Messages that wait, or of which nobody knows whether they were sent: how many, and the first. $4: that status.
SELECT count(*) AS messages, min(m.id) AS first
FROM unnest($1::bytea[]) AS whose (idx)
JOIN message AS m ON m.to_idx = whose.idx
WHERE ($2::smallint[] IS NULL OR m.account = ANY($2)) AND m.id < $3
  AND (
      EXISTS (SELECT FROM outbox AS o WHERE o.id = m.id)
      OR EXISTS (SELECT FROM submission AS s WHERE s.message_id = m.id AND s.id >= m.id AND s.status = $4 AND NOT s.replaced)
  );
