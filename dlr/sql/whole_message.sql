-- name: receipts_spread
-- $2: no submission of these messages has a lower id. $3: connectors whose receipts are about whole messages, as they went
-- by one way. What was
-- refused by its answer ($4 and above, without a receipt) stays refused.
WITH said AS (
    SELECT DISTINCT ON (message_id, way) message_id, way, status, reason, error, done_at, receipt_at
    FROM submission
    WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND connector = ANY($3::smallint[]) AND part > 0
      AND receipt_at IS NOT NULL AND status > $4
    ORDER BY message_id, way, status DESC, id DESC
), raised AS (
    SELECT s.id
    FROM submission AS s JOIN said USING (message_id, way)
    WHERE s.message_id = ANY($1::bigint[]) AND s.id >= $2 AND s.connector = ANY($3::smallint[]) AND s.part > 0
      AND s.status < said.status AND (s.status <= $4 OR s.receipt_at IS NOT NULL)
    ORDER BY s.id
    FOR UPDATE OF s
)
UPDATE submission AS s
SET status = said.status, reason = said.reason, error = said.error, done_at = said.done_at,
    receipt_at = said.receipt_at
FROM said
WHERE s.message_id = said.message_id AND s.way = said.way AND s.id >= $2 AND s.id IN (SELECT id FROM raised)
RETURNING s.message_id, s.connector, s.status;
