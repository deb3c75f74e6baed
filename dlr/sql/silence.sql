-- name: submission_give_up
-- Parts of one stretch of ids that never had a final receipt become unknown. Walks the primary key from the cursor on.
WITH stretch AS (
    SELECT id, status FROM submission WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3
), changed AS (
    UPDATE submission AS s
    SET status = $5, reason = $6
    FROM stretch
    WHERE s.id = stretch.id AND s.id > $1 AND s.id < $2 AND stretch.status = $4 AND s.status = $4
    RETURNING s.message_id, s.account
)
SELECT (SELECT max(id) FROM stretch) AS cursor,
       (SELECT array_agg(message_id) FROM changed) AS messages, (SELECT array_agg(account) FROM changed) AS accounts;
