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
