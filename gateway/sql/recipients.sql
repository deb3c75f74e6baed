-- name: inbound_list
SELECT id, from_enc, destination, text, parts, parts_missing, keyword, answers, connector, unclear
FROM inbound_message
WHERE account = ANY($1::smallint[]) AND id >= $2 AND id < $3
ORDER BY id DESC
LIMIT $4;

-- name: number_messages
-- The last messages to a number: delivered when every part is, failed when one is.
SELECT m.id, max(s.submitted_at) AS submitted_at,
       CASE WHEN bool_and(s.status = $4) THEN max(coalesce(s.done_at, s.receipt_at)) END AS delivered_at,
       coalesce(bool_or(s.status = ANY($6::smallint[])), false) AS failed,
       (array_agg(s.reason) FILTER (WHERE s.status = ANY($6::smallint[])))[1] AS reason
FROM (
    SELECT id FROM message
    WHERE to_idx = $1 AND account = ANY($2::smallint[]) AND id >= $3 AND connector <> -1  -- the sandbox
    ORDER BY id DESC
    LIMIT $5
) AS m
LEFT JOIN submission AS s ON s.message_id = m.id AND s.id >= $3
GROUP BY m.id
ORDER BY m.id DESC;

-- name: number_last_opt_out
SELECT max(id) FROM inbound_message
WHERE from_idx = $1 AND account = ANY($2::smallint[]) AND keyword = 'opt_out';
