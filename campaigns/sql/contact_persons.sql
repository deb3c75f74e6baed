-- name: person_contacts
-- Tags by their names.
SELECT c.id, c.account, c.external_id, c.attrs, c.source, c.time_zone, c.merged_into, c.updated_at,
       (SELECT array_agg(t.name ORDER BY t.name) FROM tag_def AS t WHERE t.id = ANY(c.tags)) AS tags
FROM contact AS c
WHERE c.id IN (SELECT id FROM contacts_of($1, $2, NULL))
ORDER BY c.id;

-- name: person_contacts_lock
-- A contact that was made since the request is one of its own.
SELECT c.id FROM contact AS c
WHERE c.id IN (SELECT id FROM contacts_of($1, $2, $3))
ORDER BY c.id
LIMIT $4
FOR UPDATE OF c;

-- name: person_contacts_erase
-- And what is known of them.
WITH refs AS (
    DELETE FROM contact_event_ref AS r USING contact_event AS e WHERE e.contact = ANY($1::bigint[]) AND r.id = e.id
), events AS (
    DELETE FROM contact_event WHERE contact = ANY($1::bigint[])
), sums AS (
    DELETE FROM engagement WHERE contact = ANY($1::bigint[])
), hours AS (
    DELETE FROM hour_profile WHERE contact = ANY($1::bigint[])
)
DELETE FROM contact WHERE id = ANY($1::bigint[]);

-- name: person_contact_numbers
SELECT n.account, n.to_enc, n.contact, n.rank FROM contact_number AS n
WHERE n.contact IN (SELECT id FROM contacts_of($1, $2, NULL))
ORDER BY n.account, n.rank;

-- name: person_contact_numbers_erase
-- All of a contact at once: the others are found through the one that is asked for.
WITH changed AS (
    DELETE FROM contact_number AS n USING (SELECT id FROM contacts_of($1, $2, $3)) AS f
    WHERE n.contact = f.id
    RETURNING n.to_idx
)
SELECT least(count(*), $4::bigint - 1) FROM changed;

-- name: person_imports_open
-- Whether a file that was sent before the request is still to be read.
SELECT EXISTS (
    SELECT FROM import_piece AS p JOIN import_job AS j ON j.id = p.job
    WHERE j.id < $2 AND ($1::smallint[] IS NULL OR j.account = ANY($1))
);

-- name: person_import_rows
SELECT r.job, r.line, r.shown, r.before FROM import_row AS r
WHERE r.contact IN (SELECT id FROM contacts_of($1, $2, NULL))
ORDER BY r.job, r.line;

-- name: person_import_rows_erase
-- The verdict goes on to count.
WITH found AS (
    SELECT r.job, r.line FROM import_row AS r
    WHERE r.contact IN (SELECT id FROM contacts_of($1, $2, $3))
    LIMIT $4
), changed AS (
    UPDATE import_row AS r SET shown = NULL, contact = NULL, before = NULL FROM found AS f
    WHERE r.job = f.job AND r.line = f.line
    RETURNING r.line
)
SELECT count(*) FROM changed;

-- name: person_contact_events
SELECT e.id, e.account, e.contact, e.kind, e.at, e.amount, e.props FROM contact_event AS e
WHERE e.contact IN (SELECT id FROM contacts_of($1, $2, NULL))
ORDER BY e.id;

-- name: person_contact_events_erase
WITH found AS (
    SELECT e.id FROM contact_event AS e
    WHERE e.contact IN (SELECT id FROM contacts_of($1, $2, $3))
    LIMIT $4
), changed AS (
    DELETE FROM contact_event AS e USING found AS f WHERE e.id = f.id RETURNING e.id
)
SELECT count(*) FROM changed;

-- name: person_event_refs_erase
WITH found AS (
    SELECT r.account, r.event_id FROM contact_event_ref AS r JOIN contact_event AS e ON e.id = r.id
    WHERE e.contact IN (SELECT id FROM contacts_of($1, $2, $3))
    LIMIT $4
), changed AS (
    DELETE FROM contact_event_ref AS r USING found AS f
    WHERE r.account = f.account AND r.event_id = f.event_id
    RETURNING r.id
)
SELECT count(*) FROM changed;

-- name: person_event_refs
SELECT r.account, r.event_id, r.id FROM contact_event_ref AS r JOIN contact_event AS e ON e.id = r.id
WHERE e.contact IN (SELECT id FROM contacts_of($1, $2, NULL))
ORDER BY r.id;

-- name: person_engagements
SELECT g.account, g.contact, g.kind, g.first_at, g.last_at, g.n FROM engagement AS g
WHERE g.contact IN (SELECT id FROM contacts_of($1, $2, NULL))
ORDER BY g.contact, g.kind;

-- name: person_engagements_erase
WITH found AS (
    SELECT g.contact, g.kind FROM engagement AS g
    WHERE g.contact IN (SELECT id FROM contacts_of($1, $2, $3))
    LIMIT $4
), changed AS (
    DELETE FROM engagement AS g USING found AS f WHERE g.contact = f.contact AND g.kind = f.kind RETURNING g.contact
)
SELECT count(*) FROM changed;

-- name: person_hours
SELECT h.account, h.contact, h.hours FROM hour_profile AS h
WHERE h.contact IN (SELECT id FROM contacts_of($1, $2, NULL))
ORDER BY h.contact;

-- name: person_hours_erase
WITH found AS (
    SELECT h.contact FROM hour_profile AS h
    WHERE h.contact IN (SELECT id FROM contacts_of($1, $2, $3))
    LIMIT $4
), changed AS (
    DELETE FROM hour_profile AS h USING found AS f WHERE h.contact = f.contact RETURNING h.contact
)
SELECT count(*) FROM changed;
