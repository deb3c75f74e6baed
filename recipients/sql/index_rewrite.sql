-- name: rewrite_states
-- `waits`: a gateway of the release before is still there, or was when its term was last renewed, and writes its indexes.
SELECT r.name, r.done, r.rows_left,
       EXISTS (
           SELECT FROM owner_term AS t
           WHERE t.acquired_at < r.created_at AND t.ended_at IS NULL AND t.expires_at > now()
       ) AS waits
FROM index_rewrite AS r
ORDER BY r.name;

-- name: rewrite_take
-- Ours until the transaction ends; nothing if another process is at it.
SELECT after_account, after_category, after_idx, after_id FROM index_rewrite
WHERE name = $1 AND NOT done
FOR UPDATE SKIP LOCKED;

-- name: rewrite_store
UPDATE index_rewrite
SET after_account = $2, after_category = $3, after_idx = $4, after_id = $5, rows_moved = rows_moved + $6,
    rows_left = rows_left + $7, done = $8
WHERE name = $1;
