-- name: submission_unreported
-- Of one stretch of ids, the first $6 parts of a connector that were sent and have had no receipt, with their senders.
-- In any case the end of the stretch. Left out are parts whose carrier id another message has too: nothing says which
-- of them an answer would be about. $7 is as far back as ids are compared. Walks the primary key from the cursor on.
WITH stretch AS MATERIALIZED (
    SELECT id, message_id, connector, status, carrier_id, receipt_at
    FROM submission
    WHERE id > $1 AND id < $2
    ORDER BY id
    LIMIT $3
), silent AS (
    SELECT id, message_id, carrier_id
    FROM stretch
    WHERE connector = $4 AND status = $5 AND carrier_id <> '' AND receipt_at IS NULL
      AND NOT EXISTS (
          SELECT FROM submission AS other
          WHERE other.connector = $4 AND other.carrier_id = stretch.carrier_id AND other.id >= $7
            AND other.message_id <> stretch.message_id
      )
    ORDER BY id
    LIMIT $6
)
SELECT looked.until, silent.id, silent.carrier_id, message.sender
FROM (SELECT max(id) AS until FROM stretch) AS looked
LEFT JOIN (silent JOIN message ON message.id = silent.message_id) ON true
ORDER BY silent.id;
