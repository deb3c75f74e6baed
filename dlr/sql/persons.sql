-- name: person_submissions
SELECT s.*
FROM unnest($1::bytea[]) AS whose (idx)
JOIN message AS m ON m.to_idx = whose.idx
JOIN submission AS s ON s.message_id = m.id AND s.id >= m.id
WHERE $2::smallint[] IS NULL OR m.account = ANY($2)
ORDER BY s.id;

-- name: person_receipts
SELECT * FROM unmatched_receipt
WHERE to_idx = ANY($1::bytea[]) AND $2::smallint[] IS NULL
ORDER BY id;

-- name: person_receipts_erase
-- Which account a parked receipt is about is not known: only an erasure for all of them takes it.
WITH found AS (
    SELECT id FROM unmatched_receipt
    WHERE to_idx = ANY($1::bytea[]) AND $2::smallint[] IS NULL AND id < $3
    LIMIT $4
), changed AS (
    DELETE FROM unmatched_receipt AS r USING found WHERE r.id = found.id RETURNING r.id
)
SELECT count(*) FROM changed;

-- name: person_webhook_events
-- Those in a stretch of ids.
SELECT * FROM webhook_event
WHERE number_enc = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2)) AND id > $3 AND id <= $4
ORDER BY id;

-- name: person_webhook_stretch
-- Where the next so many events end.
SELECT max(id) FROM (SELECT id FROM webhook_event WHERE id > $1 ORDER BY id LIMIT $2) AS stretch;

-- name: person_webhook_changes
-- Whether changes of before are still to become events.
SELECT EXISTS (SELECT FROM webhook_change WHERE id < $1);

-- name: person_webhook_attempts_erase
-- What a receiver answered, and a callback's address, where the person was told of.
WITH looked_at AS (
    SELECT id, event_ids
    FROM webhook_attempt
    WHERE id > $4 AND id < $3
    ORDER BY id
    LIMIT $5
), changed AS (
    UPDATE webhook_attempt AS a
    SET answer = NULL, url = NULL
    FROM looked_at
    WHERE a.id = looked_at.id AND (a.answer IS NOT NULL OR a.url IS NOT NULL)
      AND EXISTS (
          SELECT FROM webhook_event AS e
          WHERE e.id = ANY(looked_at.event_ids) AND e.number_enc = ANY($1::bytea[])
            AND ($2::smallint[] IS NULL OR e.account = ANY($2))
      )
    RETURNING a.id
)
SELECT (SELECT count(*) FROM changed) AS rows, max(id) AS place FROM looked_at;

-- name: person_webhook_events_erase
WITH looked_at AS (
    SELECT id, account, number_enc
    FROM webhook_event
    WHERE id > $4 AND id < $3
    ORDER BY id
    LIMIT $5
), changed AS (
    DELETE FROM webhook_event AS e
    USING looked_at AS l
    WHERE e.id = l.id AND l.number_enc = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR l.account = ANY($2))
    RETURNING e.id
)
SELECT (SELECT count(*) FROM changed) AS rows, max(id) AS place FROM looked_at;

-- name: person_evidence
SELECT * FROM number_evidence
WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
ORDER BY account, day, kind;

-- name: person_evidence_erase
WITH found AS (
    SELECT to_idx, account, day, kind FROM number_evidence
    WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
    LIMIT $3
), changed AS (
    DELETE FROM number_evidence AS e USING found AS f
    WHERE e.to_idx = f.to_idx AND e.account = f.account AND e.day = f.day AND e.kind = f.kind
    RETURNING e.account
)
SELECT count(*) FROM changed;
