-- name: unmatched_by_recipient
-- Takes out the parked receipts of a stretch of ids that can only be about one submit_sm in doubt, or given up in
-- doubt ($5). It has the same recipient, and the same sender where the message has one. It was submitted before the
-- receipt came, over the same connector or one of its group ($6, $7). Of a process that died nobody knows when it
-- submitted: then the message was accepted before. Not where two submits would do, nor where receipts of two carrier
-- ids claim one submit. The submit learns the carrier's id, so that its next receipt is found at once.
WITH looked AS MATERIALIZED (
    SELECT * FROM unmatched_receipt WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
), candidate AS (
    SELECT looked.id AS receipt, looked.carrier_id, s.id AS submission
    FROM looked
    CROSS JOIN LATERAL (
        SELECT looked.to_idx
        UNION ALL
        SELECT substring(looked.other_idx FROM 16 * place + 1 FOR 16)
        FROM generate_series(0, length(looked.other_idx) / 16 - 1) AS place
    ) AS form (to_idx)
    CROSS JOIN LATERAL (
        SELECT id, sender FROM message WHERE to_idx = form.to_idx AND id >= $4
        OFFSET 0  -- a look-up for each: so few are in doubt that the planner would read every submission for them
    ) AS m
    CROSS JOIN LATERAL (
        SELECT id, connector, submitted_at FROM submission
        WHERE message_id = m.id AND id >= $4 AND status = ANY($5::smallint[]) AND carrier_id IS NULL AND part > 0
        OFFSET 0
    ) AS s
    WHERE coalesce(s.submitted_at <= looked.received_at, m.id < looked.id)
      AND (m.sender = '' OR ltrim(m.sender, '+') = ltrim(looked.sender, '+'))
      AND (
          s.connector = looked.connector
          OR EXISTS (
              SELECT FROM unnest($6::smallint[], $7::smallint[]) AS grouped (connector, other)
              WHERE grouped.connector = looked.connector AND grouped.other = s.connector
          )
      )
), sole AS (
    SELECT receipt, min(carrier_id) AS carrier_id, min(submission) AS submission
    FROM candidate
    GROUP BY receipt
    HAVING count(*) = 1
), certain AS (
    SELECT submission, min(carrier_id) AS carrier_id
    FROM sole
    GROUP BY submission
    HAVING min(carrier_id) = max(carrier_id)
), learned AS (
    UPDATE submission AS s SET carrier_id = certain.carrier_id
    FROM certain
    WHERE s.id = certain.submission AND s.id >= $4 AND s.carrier_id IS NULL
), taken AS (
    DELETE FROM unmatched_receipt AS u
    USING sole JOIN certain USING (submission)
    WHERE u.id = sole.receipt
    RETURNING u.connector, u.carrier_id, sole.submission, u.status, u.reason, u.error, u.done_at,
        u.received_at, u.to_idx, u.sender, u.unknown_state, u.reference_id,
        u.other_idx
)
SELECT (SELECT max(id) FROM looked) AS cursor, (SELECT count(*) FROM looked) AS looked_at, taken.*
FROM (SELECT) AS always LEFT JOIN taken ON true;
