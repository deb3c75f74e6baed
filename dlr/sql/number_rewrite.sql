-- name: webhook_event_sealed
SELECT id AS id, number_enc AS enc, NULL::bytea AS idx FROM webhook_event WHERE id > $1 ORDER BY id LIMIT $2;

-- name: webhook_event_seal
UPDATE webhook_event AS t SET number_enc = m.enc
FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (id, stored, enc, idx)
WHERE t.id = m.id AND t.number_enc = m.stored AND t.id BETWEEN $5 AND $6;

-- name: parked_indexes
-- A parked receipt has no number: it is found under the new index, too.
UPDATE unmatched_receipt AS u SET other_idx = coalesce(u.other_idx, '') || m.idx
FROM unnest($1::bytea[], $2::bytea[]) AS m (stored, idx)
WHERE u.to_idx = m.stored AND position(m.idx IN coalesce(u.other_idx, '')) = 0;

-- name: evidence_sealed
SELECT to_idx, account, day, kind, to_enc FROM number_evidence
WHERE (to_idx, account, day, kind) > ($1::bytea, $2::smallint, $3::date, $4::text)
ORDER BY to_idx, account, day, kind
LIMIT $5;

-- name: evidence_seal
-- Of rows that come together the oldest stays.
WITH moves AS (
    SELECT * FROM unnest($1::bytea[], $2::smallint[], $3::date[], $4::text[], $5::bytea[], $6::bytea[])
        AS m (stored, account, day, kind, idx, enc)
), gone AS (
    DELETE FROM number_evidence AS e USING moves AS m
    WHERE e.to_idx = m.stored AND e.account = m.account AND e.day = m.day AND e.kind = m.kind
    RETURNING m.idx, m.enc, e.account, e.day, e.kind, e.state, e.reason, e.connector, e.error, e.message_id, e.at
)
INSERT INTO number_evidence AS there
    (to_idx, to_enc, account, day, kind, state, reason, connector, error, message_id, at)
SELECT DISTINCT ON (idx, account, day, kind)
    idx, enc, account, day, kind, state, reason, connector, error, message_id, at
FROM gone
ORDER BY idx, account, day, kind, at
ON CONFLICT (to_idx, account, day, kind) DO UPDATE
SET state = excluded.state, reason = excluded.reason, connector = excluded.connector, error = excluded.error,
    message_id = excluded.message_id, at = excluded.at
WHERE excluded.at < there.at;
