-- name: number_messages
-- The last messages to a number: delivered when every part is, failed when one is. A part that was submitted again is
-- what its best submission is, as dlr/status.py has it. $7, $8: a
-- date that is not plausible was stored by a release before (dlr/receipt_times.py).
SELECT m.id, max(s.submitted_at) AS submitted_at,
       CASE WHEN bool_and(s.status = $4) AND count(s.status) = max(s.parts) THEN max(s.delivered_at) END AS delivered_at,
       coalesce(bool_or(s.status = ANY($6::smallint[])), false) AS failed,
       max(s.reason) FILTER (WHERE s.status = ANY($6::smallint[])) AS reason
FROM (
    SELECT id FROM message
    WHERE to_idx = ANY($1::bytea[]) AND account = ANY($2::smallint[]) AND id >= $3 AND connector <> -1  -- the sandbox
    ORDER BY id DESC
    LIMIT $5
) AS m
LEFT JOIN LATERAL (
    SELECT part, max(status * 256 + reason) FILTER (WHERE NOT replaced) / 256 AS status,
           max(status * 256 + reason) FILTER (WHERE NOT replaced) % 256 AS reason,
           max(parts) FILTER (WHERE NOT replaced) AS parts, max(submitted_at) AS submitted_at,
           max(
               CASE
                   WHEN done_at < submitted_at - $7::interval OR done_at > receipt_at + $8::interval THEN receipt_at
                   ELSE coalesce(done_at, receipt_at)
               END
           ) FILTER (WHERE status = $4) AS delivered_at
    FROM submission
    WHERE message_id = m.id AND id >= m.id
    GROUP BY part
) AS s ON true
GROUP BY m.id
ORDER BY m.id DESC;

-- name: number_last_opt_out
SELECT max(id) FROM inbound_message
WHERE from_idx = ANY($1::bytea[]) AND account = ANY($2::smallint[]) AND keyword = 'opt_out';
