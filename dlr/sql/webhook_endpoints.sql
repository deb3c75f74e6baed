-- name: webhook_generation
SELECT number FROM webhook_generation;

-- name: webhook_generation_moved
UPDATE webhook_generation SET number = number + 1;

-- name: webhook_endpoints_held
SELECT count(*) FROM webhook_endpoint WHERE account = $1 AND callback = $2 AND deleted_at IS NULL;

-- name: webhook_endpoint_create
INSERT INTO webhook_endpoint (
    id, account, callback, url, events, batch_max, batch_wait_ms, full_numbers, ordered, ca, headers_enc, secrets_enc,
    since, created_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);

-- name: webhook_endpoint_change
UPDATE webhook_endpoint
SET url = $2, events = $3, batch_max = $4, batch_wait_ms = $5, full_numbers = $6, ordered = $7, ca = $8,
    headers_enc = $9, secrets_enc = $10
WHERE id = $1 AND deleted_at IS NULL
RETURNING id;

-- name: webhook_endpoint_delete
UPDATE webhook_endpoint SET deleted_at = $3
WHERE account = $1 AND id = $2 AND deleted_at IS NULL
RETURNING id;

-- name: webhook_endpoint_state
UPDATE webhook_endpoint SET state = $2, reason = $3, since = $4
WHERE id = $1 AND state <> $2 AND state = ANY($5::smallint[]) AND deleted_at IS NULL
RETURNING id;

-- name: webhook_endpoint_success
UPDATE webhook_endpoint AS e SET last_success_at = greatest(e.last_success_at, good.at)
FROM unnest($1::bigint[], $2::timestamptz[]) AS good (id, at)
WHERE e.id = good.id;

-- name: webhook_endpoint_tested
UPDATE webhook_endpoint SET tested_at = $2
WHERE id = $1 AND deleted_at IS NULL AND (tested_at IS NULL OR tested_at <= $2::timestamptz - $3::interval)
RETURNING id;

-- name: webhook_endpoint_by_id
SELECT * FROM webhook_endpoint WHERE account = $1 AND id = $2 AND deleted_at IS NULL;

-- name: webhook_endpoints_listed
SELECT * FROM webhook_endpoint WHERE account = $1 AND id > $2 AND deleted_at IS NULL ORDER BY id LIMIT $3;

-- name: webhook_endpoints
SELECT * FROM webhook_endpoint WHERE deleted_at IS NULL ORDER BY id;

-- name: webhook_callback_secrets
SELECT account, secrets_enc FROM webhook_callback_secret;

-- name: webhook_callback_secret_store
INSERT INTO webhook_callback_secret (account, secrets_enc) VALUES ($1, $2)
ON CONFLICT (account) DO UPDATE SET secrets_enc = excluded.secrets_enc;

-- name: webhook_receivers
SELECT id, url, ca
FROM webhook_endpoint
WHERE state = $1 AND deleted_at IS NULL AND NOT callback
ORDER BY id DESC
LIMIT $2;

-- name: endpoints_purge
-- Endpoints that were deleted before $1, once nothing of them waits.
DELETE FROM webhook_endpoint
WHERE id IN (
    SELECT e.id FROM webhook_endpoint AS e
    WHERE e.deleted_at < $1 AND NOT EXISTS (SELECT FROM webhook_delivery AS d WHERE d.endpoint = e.id)
    ORDER BY e.id
    LIMIT $2
    FOR UPDATE OF e SKIP LOCKED
);
