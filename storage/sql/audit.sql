-- name: audit_append
-- Repeated after a commit in doubt, some may stand already.
INSERT INTO audit (id, account, actor, action, subject, detail)
SELECT id, account, actor, action, subject, detail::jsonb
FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::bytea[], $6::text[])
    AS new (id, account, actor, action, subject, detail)
ON CONFLICT (id) DO NOTHING;
