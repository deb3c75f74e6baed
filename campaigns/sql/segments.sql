-- name: attribute_types
SELECT name, type FROM attribute_def WHERE account = $1

-- name: tag_ids
SELECT name, id FROM tag_def WHERE account = $1

-- name: segments_named
SELECT name, id, source, refers_to FROM segment WHERE account = $1 AND name = ANY($2::text[])

-- name: segments_locked
-- All of an account: who changes one looks at those that refer to it, and nobody changes them meanwhile.
SELECT id, name, source, refers_to, note, version, changed_at, counted FROM segment WHERE account = $1
ORDER BY id FOR UPDATE

-- name: segment_add
INSERT INTO segment (id, account, name, source, refers_to, note) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account, name) DO NOTHING
RETURNING id, name, source, refers_to, note, version, changed_at, counted

-- name: segment_change
UPDATE segment SET name = $2, source = $3, refers_to = $4, note = $5, version = version + 1, changed_at = clock_timestamp()
WHERE id = $1
RETURNING id, name, source, refers_to, note, version, changed_at, counted

-- name: segment_delete
DELETE FROM segment WHERE id = $1

-- name: segment_counted
-- Of another version it would say something that is not so.
UPDATE segment SET counted = $3 WHERE id = $1 AND version = $2

-- name: segment_one
SELECT id, name, source, refers_to, note, version, changed_at, counted FROM segment WHERE account = $1 AND id = $2

-- name: segments_listed
SELECT id, name, source, refers_to, note, version, changed_at, counted FROM segment
WHERE account = $1 AND id > $2 AND ($4::text IS NULL OR name = $4)
ORDER BY id LIMIT $3

-- name: segment_members_listed
SELECT m.contact, c.external_id FROM segment_member AS m JOIN contact AS c ON c.id = m.contact
WHERE m.segment = $1 AND m.contact > $2
ORDER BY m.contact LIMIT $3

-- name: segment_contacts_named
-- By their ids or as the account calls them; of one that became part of another that one. None is deleted meanwhile.
SELECT asked.place, COALESCE(c.merged_into, c.id) AS contact
FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS asked (id, external_id, place)
JOIN contact AS c ON c.account = $1 AND (c.id = asked.id OR c.external_id = asked.external_id)
ORDER BY c.id FOR KEY SHARE OF c

-- name: segment_members_add
INSERT INTO segment_member (segment, contact) SELECT $1, contact FROM unnest($2::bigint[]) AS new (contact)
ORDER BY contact
ON CONFLICT DO NOTHING

-- name: segment_members_remove
DELETE FROM segment_member WHERE segment = $1 AND contact = ANY($2::bigint[])

-- name: segment_sample
SELECT c.id, c.external_id, c.attrs, n.to_enc FROM contact AS c
LEFT JOIN contact_number AS n ON n.contact = c.id AND n.rank = 0
WHERE c.account = $1 AND c.id = ANY($2::bigint[])
ORDER BY c.id

-- name: personal_attributes
SELECT name FROM attribute_def WHERE account = $1 AND personal

-- name: person_segment_members
SELECT m.segment, s.account, s.name, m.contact FROM segment_member AS m JOIN segment AS s ON s.id = m.segment
WHERE m.contact IN (SELECT id FROM contacts_of($1, $2, NULL))
ORDER BY m.segment, m.contact

-- name: person_segment_members_erase
WITH found AS (
    SELECT m.segment, m.contact FROM segment_member AS m
    WHERE m.contact IN (SELECT id FROM contacts_of($1, $2, $3))
    LIMIT $4
), changed AS (
    DELETE FROM segment_member AS m USING found AS f WHERE m.segment = f.segment AND m.contact = f.contact
    RETURNING m.contact
)
SELECT count(*) FROM changed

-- name: segment_limit
-- For the transaction. What the server would compile first takes longer than what it saves. A million rows are hashed in
-- memory: with less, all contacts with all their attributes are written to files and read again.
SELECT set_config('statement_timeout', $1, true), set_config('jit', 'off', true), set_config('work_mem', '32MB', true)
