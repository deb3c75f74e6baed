-- What the suite asks the gateway's own tables.

-- name: delivered
-- The carrier's id and the moment of each receipt, in seconds since 1970.
SELECT carrier_id, extract(epoch FROM receipt_at)::float8
FROM submission
WHERE status = $1
