-- name: person_contacts
-- Tags by their names.
SELECT c.id, c.account, c.external_id, c.attrs, c.source, c.time_zone, c.merged_into, c.updated_at,
       (SELECT array_agg(t.name ORDER BY t.name) FROM tag_def AS t WHERE t.id = ANY(c.tags)) AS tags
FROM contact AS c
WHERE c.id IN (
    SELECT n.contact FROM contact_number AS n
    WHERE n.to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR n.account = ANY($2))
) OR c.merged_into IN (
    SELECT n.contact FROM contact_number AS n
    WHERE n.to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR n.account = ANY($2))
)
ORDER BY c.id;

-- name: person_contacts_erase
-- A contact that was made since the request is one of its own.
WITH whose AS (
    SELECT DISTINCT n.contact AS id FROM contact_number AS n
    WHERE n.to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR n.account = ANY($2)) AND n.contact < $3
), found AS (
    SELECT id FROM whose
    UNION
    SELECT c.id FROM contact AS c JOIN whose AS w ON c.merged_into = w.id
), changed AS (
    DELETE FROM contact AS c
    USING (SELECT id FROM found LIMIT $4) AS f
    WHERE c.id = f.id
    RETURNING c.id
)
SELECT count(*) FROM changed;

-- name: person_contact_numbers
SELECT n.account, n.to_enc, n.contact, n.rank FROM contact_number AS n
WHERE n.contact IN (
    SELECT m.contact FROM contact_number AS m
    WHERE m.to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR m.account = ANY($2))
)
ORDER BY n.account, n.rank;

-- name: person_contact_numbers_erase
-- All of a contact at once: the others are found through the one that is asked for.
WITH changed AS (
    DELETE FROM contact_number AS n
    USING (
        SELECT DISTINCT m.contact FROM contact_number AS m
        WHERE m.to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR m.account = ANY($2)) AND m.contact < $3
        LIMIT $4
    ) AS whose
    WHERE n.contact = whose.contact
    RETURNING n.to_idx
)
SELECT least(count(*), $4::bigint - 1) FROM changed;

-- name: contact_number_sealed
SELECT account, to_idx, to_enc FROM contact_number
WHERE (account, to_idx) > ($1::smallint, $2::bytea)
ORDER BY account, to_idx
LIMIT $3;

-- name: contact_number_seal
-- Of two contacts with one number the older keeps it. Who is planned under the number stays so.
WITH moves AS (
    SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (account, stored, idx, enc)
), gone AS (
    DELETE FROM contact_number AS n USING moves AS m
    WHERE n.account = m.account AND n.to_idx = m.stored
    RETURNING n.account, m.idx, m.enc, n.contact, n.rank
), planned AS (
    UPDATE campaign_recipient AS r SET to_idx = m.idx
    FROM moves AS m
    WHERE r.to_idx = m.stored AND EXISTS (SELECT FROM campaign AS c WHERE c.id = r.campaign AND c.account = m.account)
)
INSERT INTO contact_number AS there (account, to_idx, to_enc, contact, rank)
SELECT DISTINCT ON (account, idx) account, idx, enc, contact, rank
FROM gone
ORDER BY account, idx, contact
ON CONFLICT (account, to_idx) DO UPDATE SET contact = excluded.contact, rank = excluded.rank
WHERE excluded.contact < there.contact;
