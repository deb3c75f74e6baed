-- name: resolution_lock
-- One decision at a time, in all processes: two at once must not both send a message again.
SELECT pg_advisory_xact_lock(7307061105);

-- name: resolvable
SELECT id, account, category, parts, expires_at, batch_id, priority
FROM message
WHERE id = ANY($1::bigint[]) AND account = $2;

-- name: outbox_again
-- `in_doubt`: its first submit may have arrived, so that running out of time is no proof that it was never sent.
-- It goes on by the way ($9) that is in doubt.
INSERT INTO outbox (id, owner, connector, category, account, parts, expires_at, batch_id, priority, in_doubt, way, tried)
VALUES (
    $1, 0, $2, $3, $4, $5, $6, $7, $8, true, $9::smallint,
    CASE
        WHEN $9::smallint > 0 THEN ARRAY(
            SELECT DISTINCT s.connector FROM submission AS s
            WHERE s.message_id = $1 AND s.id >= $1 AND s.part > 0 AND s.way < $9::smallint
        )
    END
);
