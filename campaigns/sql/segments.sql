-- name: attribute_types
SELECT name, type FROM attribute_def WHERE account = $1

-- name: tag_ids
SELECT name, id FROM tag_def WHERE account = $1

-- name: segments_named
SELECT name, id, source, refers_to FROM segment WHERE account = $1 AND name = ANY($2::text[])

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
