-- name: unmatched_sweep
-- Takes out parked receipts whose submission is there by now: it was committed by another session at the same moment.
-- One that would change nothing waits for another submission. Also where what else than an id points to is there.
-- $5, $6: each connector with each other one of its group. $7: the first status that is not open.
DELETE FROM unmatched_receipt AS u
WHERE u.id = ANY (ARRAY(
    SELECT parked.id
    FROM unmatched_receipt AS parked
    CROSS JOIN LATERAL (
        SELECT 1
        FROM (
            SELECT parked.connector
            UNION ALL
            SELECT grouped.other
            FROM unnest($5::smallint[], $6::smallint[]) AS grouped (connector, other)
            WHERE grouped.connector = parked.connector
        ) AS asked (connector)
        JOIN submission AS s
            ON s.connector = asked.connector AND s.carrier_id = parked.carrier_id AND s.id >= $3
            AND s.status < greatest(parked.status, $7)
        UNION ALL
        SELECT 1 FROM submission AS s WHERE s.id = parked.reference_id AND s.id >= $3
        LIMIT 1
    ) AS found
    WHERE parked.id >= $1 AND parked.id < $2
    ORDER BY parked.id
    LIMIT $4
    FOR UPDATE OF parked SKIP LOCKED
))
RETURNING u.connector, u.carrier_id, u.status, u.reason, u.error, u.done_at, u.received_at, u.to_idx, u.sender,
    u.unknown_state, u.reference_id, u.other_idx;

-- name: unmatched_purge
DELETE FROM unmatched_receipt
WHERE id = ANY (ARRAY(SELECT id FROM unmatched_receipt WHERE id < $1 ORDER BY id LIMIT $2));
