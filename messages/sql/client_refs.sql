-- name: client_refs_claim
-- The references that are free, or whose 72 hours are over ($5: the lowest id within them). Each is named once.
INSERT INTO client_ref (account, client_ref, message_id, fingerprint)
SELECT * FROM unnest($1::smallint[], $2::text[], $3::bigint[], $4::bytea[])
ON CONFLICT (account, client_ref) DO UPDATE
SET message_id = excluded.message_id, fingerprint = excluded.fingerprint
WHERE client_ref.message_id < $5
RETURNING message_id;

-- name: client_refs_held
SELECT wanted.position, held.message_id, held.fingerprint
FROM unnest($1::smallint[], $2::text[]) WITH ORDINALITY AS wanted (account, client_ref, position)
JOIN client_ref AS held ON held.account = wanted.account AND held.client_ref = wanted.client_ref;

-- name: client_refs_retract
DELETE FROM client_ref WHERE message_id = ANY($1::bigint[]);

-- name: client_refs_purge
DELETE FROM client_ref
WHERE (account, client_ref) IN (
    SELECT account, client_ref FROM client_ref
    WHERE message_id < $1
    ORDER BY message_id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);
