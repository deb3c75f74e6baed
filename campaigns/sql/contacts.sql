-- name: contacts_lock
-- One writer of an account's contacts after the other, so that none meets half of another's work.
SELECT pg_advisory_xact_lock(730706115, $1::integer);

-- name: contacts_by_number
SELECT to_idx, contact FROM contact_number WHERE account = $1 AND to_idx = ANY($2::bytea[]);

-- name: contacts_by_external_id
SELECT external_id, coalesce(merged_into, id) AS id FROM contact WHERE account = $1 AND external_id = ANY($2::text[]);

-- name: contacts_known
-- As they are, and ours until the transaction ends. An id that was merged away names nobody here.
SELECT c.id, c.external_id, c.attrs, c.tags, c.source, c.time_zone, c.revision,
       ARRAY(SELECT n.to_idx FROM contact_number AS n WHERE n.contact = c.id ORDER BY n.rank) AS numbers
FROM contact AS c
WHERE c.account = $1 AND c.id = ANY($2::bigint[]) AND c.merged_into IS NULL
ORDER BY c.id
FOR UPDATE OF c;

-- name: contacts_change
-- Returns the ids with their revision.
UPDATE contact AS c
SET external_id = x.external_id, attrs = x.attrs, tags = x.tags, source = x.source, time_zone = x.time_zone,
    revision = c.revision + 1, updated_at = now()
FROM jsonb_to_recordset($1::text::jsonb)
    AS x (id bigint, external_id text, attrs jsonb, tags integer[], source text, time_zone text)
WHERE c.id = x.id
RETURNING c.id, c.revision;

-- name: contact_ranks
UPDATE contact_number AS n SET rank = x.rank
FROM unnest($1::bigint[], $2::bytea[], $3::smallint[]) AS x (contact, to_idx, rank)
WHERE n.contact = x.contact AND n.to_idx = x.to_idx AND n.rank <> x.rank;

-- name: contact_views
-- With numbers by their rank and tags by their names.
SELECT c.id, c.external_id, c.attrs, c.source, c.time_zone, c.revision, c.updated_at,
       ARRAY(SELECT n.to_enc FROM contact_number AS n WHERE n.contact = c.id ORDER BY n.rank) AS numbers,
       ARRAY(SELECT t.name FROM tag_def AS t WHERE t.id = ANY(c.tags) ORDER BY t.name) AS tags
FROM contact AS c
WHERE c.id = ANY($1::bigint[])
ORDER BY c.id DESC;

-- name: contact_id
-- Of a contact, or of the one that it became part of.
SELECT coalesce(merged_into, id) FROM contact WHERE account = $1 AND id = $2;

-- name: contacts_listed
-- Ids before $2, the latest first. NULL: any external id, number, tag, source.
SELECT c.id FROM contact AS c
WHERE c.account = $1 AND c.id < $2 AND c.merged_into IS NULL
  AND ($3::text IS NULL OR c.id = (SELECT coalesce(e.merged_into, e.id) FROM contact AS e WHERE e.account = $1 AND e.external_id = $3))
  AND ($4::bytea[] IS NULL OR c.id IN (SELECT n.contact FROM contact_number AS n WHERE n.account = $1 AND n.to_idx = ANY($4)))
  AND ($5::text IS NULL OR c.tags @> ARRAY(SELECT t.id FROM tag_def AS t WHERE t.account = $1 AND t.name = $5)
       AND EXISTS (SELECT FROM tag_def AS t WHERE t.account = $1 AND t.name = $5))
  AND ($6::text IS NULL OR c.source = $6)
ORDER BY c.id DESC
LIMIT $7;

-- name: contact_lock
-- With those that were merged into it. Whoever tells an event of one of them is done, or finds nobody.
SELECT FROM contact WHERE account = $1 AND (id = $2 OR merged_into = $2) ORDER BY id FOR UPDATE;

-- name: contact_delete
-- With those that were merged into it, and all that is known of it. The verdicts of imports stay.
WITH gone AS (
    DELETE FROM contact WHERE account = $1 AND (id = $2 OR merged_into = $2) RETURNING id
), numbers AS (
    DELETE FROM contact_number WHERE contact = $2
), refs AS (
    DELETE FROM contact_event_ref AS r USING contact_event AS e WHERE e.contact = $2 AND r.id = e.id
), events AS (
    DELETE FROM contact_event WHERE contact = $2
), sums AS (
    DELETE FROM engagement WHERE contact = $2
), hours AS (
    DELETE FROM hour_profile WHERE contact = $2
), rows AS (
    UPDATE import_row SET shown = NULL, contact = NULL, before = NULL WHERE contact IN (SELECT id FROM gone)
)
SELECT count(*) FROM gone;

-- name: contact_former_name
-- A contact that became part of $3 gives its name up to it.
UPDATE contact SET external_id = NULL WHERE account = $1 AND external_id = $2 AND merged_into = $3;

-- name: contact_numbers_leave
DELETE FROM contact_number WHERE contact = $1 AND to_idx = ANY($2::bytea[]);

-- name: contact_merge_away
-- $1 becomes part of $2, and so do those that became part of it. What it was called leads on.
UPDATE contact
SET merged_into = $2, attrs = '{}', tags = '{}', source = NULL, time_zone = NULL, revision = revision + 1, updated_at = now(),
    external_id = CASE WHEN $3::boolean AND id = $1 THEN NULL ELSE external_id END
WHERE id = $1 OR merged_into = $1;

-- name: contact_merge_numbers
-- Those of $1 behind those of $2.
UPDATE contact_number SET contact = $2, rank = rank + (SELECT count(*) FROM contact_number WHERE contact = $2)
WHERE contact = $1;

-- name: contact_merge_history
WITH events AS (
    UPDATE contact_event SET contact = $2 WHERE contact = $1
), rows AS (
    UPDATE import_row SET contact = $2 WHERE contact = $1
), members AS (
    DELETE FROM segment_member WHERE contact = $1 RETURNING segment
), joined AS (
    INSERT INTO segment_member (segment, contact) SELECT segment, $2 FROM members ON CONFLICT DO NOTHING
), sums AS (
    DELETE FROM engagement WHERE contact = $1 RETURNING *
), added AS (
    INSERT INTO engagement AS there (account, contact, kind, first_at, last_at, n)
    SELECT account, $2, kind, first_at, last_at, n FROM sums
    ON CONFLICT (contact, kind) DO UPDATE
    SET first_at = least(there.first_at, excluded.first_at), last_at = greatest(there.last_at, excluded.last_at),
        n = there.n + excluded.n
), hours AS (
    DELETE FROM hour_profile WHERE contact = $1 RETURNING *
)
INSERT INTO hour_profile AS there (contact, account, hours)
SELECT $2, account, hours FROM hours
ON CONFLICT (contact) DO UPDATE SET hours = (
    SELECT array_agg(least(a + b, 32767)::smallint ORDER BY hour)
    FROM unnest(there.hours, excluded.hours) WITH ORDINALITY AS u (a, b, hour)
);

-- name: attributes
SELECT name, type, label, personal FROM attribute_def WHERE account = $1 ORDER BY name;

-- name: attribute_put
INSERT INTO attribute_def (account, name, type, label, personal) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, name) DO UPDATE SET label = excluded.label, personal = excluded.personal
WHERE attribute_def.type = excluded.type
RETURNING name;

-- name: tags
SELECT name, label, personal FROM tag_def WHERE account = $1 ORDER BY name;

-- name: tags_known
SELECT id, name FROM tag_def WHERE account = $1 AND name = ANY($2::text[]);

-- name: tags_count
SELECT count(*) FROM tag_def WHERE account = $1;

-- name: tags_add
INSERT INTO tag_def (account, name) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING;
