-- name: key_create
INSERT INTO api_key (account, name, key_hash, scopes)
SELECT id, $2, $3, $4 FROM account WHERE name = $1;

-- name: key_find
SELECT id, account, scopes FROM api_key WHERE key_hash = $1 AND revoked_at IS NULL;
