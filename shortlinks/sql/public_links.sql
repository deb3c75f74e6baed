-- name: link_numbers
SELECT nextval('link_number') AS number FROM generate_series(1, $1)

-- name: links_add
-- What cannot be had is left out: a code or a slug of the domain is taken, or a slug looks like another. An id that is
-- there already was stored by an earlier try. The order lets the first of a request have a slug, and keeps two
-- processes from waiting for each other.
INSERT INTO link (id, account, domain, code, look, target, fallback, campaign_id, tags, expires_at)
SELECT id, $2, domain, code, look, target, fallback, campaign_id, coalesce(tags, '{}'), expires_at
FROM json_to_recordset($1::json) AS new (
    id bigint, domain text, code text, look text, target text, fallback text, campaign_id text, tags text[],
    expires_at timestamptz
)
ORDER BY domain, coalesce(look, code), id
ON CONFLICT DO NOTHING
RETURNING id

-- name: links_taken
-- What stands already where these slugs would: by name, or by look.
SELECT link.domain, link.code, link.look
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (domain, code, look)
JOIN link ON link.domain = asked.domain AND (link.code = asked.code OR link.look = asked.look)

-- name: links_of_account
SELECT id, account, domain, code, look, target, fallback, campaign_id, tags, expires_at, changed_at, deleted_at
FROM link WHERE account = $1 AND id = ANY($2::bigint[])

-- name: link_locked
SELECT id, account, domain, code, look, target, fallback, campaign_id, tags, expires_at, changed_at, deleted_at
FROM link WHERE account = $1 AND id = $2 FOR UPDATE

-- name: link_change
UPDATE link SET target = $2, fallback = $3, campaign_id = $4, tags = $5, expires_at = $6, changed_at = clock_timestamp()
WHERE id = $1
RETURNING changed_at

-- name: link_delete
UPDATE link SET deleted_at = clock_timestamp(), changed_at = clock_timestamp()
WHERE id = $1
RETURNING deleted_at

-- name: links_listed
-- The latest first, below an id. $6: live, expired or deleted.
SELECT id, account, domain, code, look, target, fallback, campaign_id, tags, expires_at, changed_at, deleted_at
FROM link
WHERE account = $1 AND id < $2 AND id >= $7
  AND ($3::text IS NULL OR campaign_id = $3) AND ($4::text IS NULL OR $4 = ANY(tags))
  AND ($5::text IS NULL OR domain = $5)
  AND CASE $6::text
        WHEN 'deleted' THEN deleted_at IS NOT NULL
        WHEN 'expired' THEN deleted_at IS NULL AND expires_at <= $8
        WHEN 'live' THEN deleted_at IS NULL AND (expires_at IS NULL OR expires_at > $8)
        ELSE TRUE
      END
ORDER BY id DESC
LIMIT $9

-- name: links_found
-- For the redirect: the link of each of these names.
SELECT id, domain, code, target, fallback, expires_at, deleted_at
FROM unnest($1::text[], $2::text[]) AS asked (domain, code)
JOIN link USING (domain, code)

-- name: links_purge
DELETE FROM link
WHERE id IN (
    SELECT id FROM link WHERE least(expires_at, deleted_at) < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
)
