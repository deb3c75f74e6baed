-- name: events_gate
-- Wait until nobody is about to commit an event; whoever comes later gets a later position.
SELECT pg_advisory_lock(7307061160);

-- name: events_gate_open
SELECT pg_advisory_unlock(7307061160);

-- name: events_gate_share
-- Until the transaction ends nobody may think that all events up to a position are there.
SELECT pg_advisory_xact_lock_shared(7307061160);

-- name: contacts_stay
-- They are neither deleted nor merged until the transaction ends.
SELECT id, merged_into FROM contact WHERE account = $1 AND id = ANY($2::bigint[]) ORDER BY id FOR KEY SHARE;

-- name: event_refs_claim
-- In the order of their names. One that has ended is taken anew. Returns those that are ours now.
INSERT INTO contact_event_ref AS r (account, event_id, id, fingerprint)
SELECT $1, event_id, id, fingerprint FROM unnest($2::text[], $3::bigint[], $4::bytea[]) AS u (event_id, id, fingerprint)
ON CONFLICT (account, event_id) DO UPDATE SET id = excluded.id, fingerprint = excluded.fingerprint
WHERE r.id < $5
RETURNING event_id;

-- name: event_refs
SELECT event_id, id, fingerprint FROM contact_event_ref WHERE account = $1 AND event_id = ANY($2::text[]);

-- name: event_refs_purge
DELETE FROM contact_event_ref
WHERE (account, event_id) IN (
    SELECT account, event_id FROM contact_event_ref
    WHERE id < $1
    ORDER BY id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);

-- name: events_add
INSERT INTO contact_event (id, account, contact, kind, at, amount, props)
SELECT id, account, contact, kind, at, amount, props::jsonb
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::text[], $5::timestamptz[], $6::bigint[], $7::text[])
    AS u (id, account, contact, kind, at, amount, props);
