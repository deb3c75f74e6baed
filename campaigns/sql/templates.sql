-- name: template_add
INSERT INTO template (id, account, name) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING

-- name: template_locked
SELECT id, ended_at FROM template WHERE account = $1 AND id = $2 FOR UPDATE

-- name: template_end
UPDATE template SET ended_at = clock_timestamp() WHERE id = $1

-- name: template_version_add
-- The next version. One that is there under the same id was stored by an earlier try.
INSERT INTO template_version
    (template, version, id, author, category, body, variables, signature, suffix, link_mode, links, max_parts, providers,
     lint)
SELECT $1::bigint, coalesce(max(version), 0) + 1, $2::bigint, $3::text, $4::text, $5::text, $6::jsonb, $7::text, $8::text,
       $9::text, $10::jsonb, $11::smallint, $12::text[], $13::jsonb
FROM template_version WHERE template = $1
HAVING NOT EXISTS (SELECT FROM template_version WHERE id = $2)
RETURNING version

-- name: template_version_of_id
SELECT version FROM template_version WHERE id = $1

-- name: template_versions_found
-- For each of these the version that is asked for; 0: the newest.
SELECT asked.template AS asked_template, asked.version AS asked_version, template.name, template.ended_at, found.*,
       newest.version AS newest
FROM unnest($2::bigint[], $3::integer[]) AS asked (template, version)
JOIN template ON template.id = asked.template AND template.account = $1
CROSS JOIN LATERAL (
    SELECT max(version) AS version FROM template_version WHERE template_version.template = template.id
) AS newest
JOIN template_version AS found
  ON found.template = template.id AND found.version = coalesce(nullif(asked.version, 0), newest.version)

-- name: templates_listed
-- The newest version of each, the latest made first, below an id.
SELECT template.name, template.ended_at, found.*, found.version AS newest
FROM template
CROSS JOIN LATERAL (
    SELECT * FROM template_version WHERE template_version.template = template.id ORDER BY version DESC LIMIT 1
) AS found
WHERE account = $1 AND template.id < $2 AND ($3 OR template.ended_at IS NULL)
ORDER BY template.id DESC
LIMIT $4

-- name: template_approvals
SELECT template, version, provider, state, provider_id, reason, author, at
FROM template_approval
JOIN unnest($1::bigint[], $2::integer[]) AS asked (template, version) USING (template, version)
ORDER BY provider

-- name: template_approve
INSERT INTO template_approval (template, version, provider, state, provider_id, reason, author, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())
ON CONFLICT (template, version, provider) DO UPDATE
SET state = excluded.state, provider_id = coalesce(excluded.provider_id, template_approval.provider_id),
    reason = excluded.reason, author = excluded.author, at = excluded.at

-- name: template_waivers
SELECT template, version, rule, reason, author, at
FROM template_waiver
JOIN unnest($1::bigint[], $2::integer[]) AS asked (template, version) USING (template, version)
ORDER BY rule

-- name: template_waive
-- Who waives it again answers for it from then on.
INSERT INTO template_waiver (template, version, rule, reason, author, at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())
ON CONFLICT (template, version, rule) DO UPDATE
SET reason = excluded.reason, author = excluded.author, at = excluded.at
