-- name: sandbox_waits
-- Whether anything waits for this connector: one look at each of the two indexes of what is free.
SELECT EXISTS (SELECT FROM outbox WHERE owner = 0 AND not_before IS NULL AND connector = $1)
    OR EXISTS (SELECT FROM outbox WHERE owner = 0 AND not_before IS NOT NULL AND connector = $1);
