-- name: key_name_freed
-- A key that has ended leaves its name to the next.
UPDATE api_key SET name = api_key.name || '#' || api_key.id
FROM account
WHERE account.id = api_key.account AND account.name = $1 AND api_key.name = $2
    AND (revoked_at IS NOT NULL OR expires_at <= now());

-- name: key_create
INSERT INTO api_key (account, name, key_hash, scopes, expires_at)
SELECT id, $2, $3, $4, $5 FROM account WHERE name = $1
RETURNING id, account;

-- name: key_find
SELECT id, account, scopes, extract(epoch FROM expires_at - now())::float8 AS lasts_seconds,
    revoked_at IS NOT NULL AS revoked
FROM api_key WHERE key_hash = $1;

-- name: keys_used
WITH used AS (
    SELECT api_key.id, given.at
    FROM api_key JOIN unnest($1::bigint[], $2::timestamptz[]) AS given (id, at) USING (id)
    WHERE last_used_at IS NULL OR last_used_at < given.at
    ORDER BY api_key.id
    FOR UPDATE OF api_key
)
UPDATE api_key SET last_used_at = used.at FROM used WHERE used.id = api_key.id;

-- name: keys_list
SELECT api_key.id, account.name AS account, api_key.name, scopes, created_at, expires_at,
    revoked_at, last_used_at, now() AS now
FROM api_key JOIN account ON account.id = api_key.account
WHERE $1::text IS NULL OR account.name = $1
ORDER BY account.name, api_key.id
LIMIT $2;

-- name: key_lock
SELECT api_key.id, api_key.account, api_key.name, scopes, created_at, expires_at, revoked_at,
    last_used_at, now() AS now
FROM api_key JOIN account ON account.id = api_key.account
WHERE account.name = $1 AND api_key.name = $2
FOR UPDATE OF api_key;

-- name: key_revoke
UPDATE api_key SET revoked_at = now() WHERE id = $1;

-- name: key_replaced
-- The old key makes room for the name, and ends after the overlap, or when it would have anyway.
UPDATE api_key SET name = $2, expires_at = least(expires_at, now() + $3::interval)
WHERE id = $1
RETURNING expires_at;

-- name: accounts_with_keys
-- Those of these accounts that have a key which works.
SELECT name FROM account
WHERE name = ANY($1::text[]) AND EXISTS (
    SELECT 1 FROM api_key
    WHERE api_key.account = account.id AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > now())
)
ORDER BY name;
