-- name: evidence_write
-- Stores these, one a day and kind, and answers with which were new. With them comes what stood against the numbers of
-- ambiguous evidence and of proofs since $12, for the rules that look at history.
WITH given AS (
    SELECT * FROM unnest(
        $1::bytea[], $2::smallint[], $3::date[], $4::text[], $5::smallint[], $6::smallint[], $7::text[], $8::bigint[],
        $9::timestamptz[], $10::bytea[]
    ) AS g (to_idx, account, day, kind, reason, connector, error, message_id, at, to_enc)
), added AS (
    INSERT INTO number_evidence (to_idx, account, day, kind, reason, connector, error, message_id, at, to_enc)
    SELECT * FROM given
    ON CONFLICT (to_idx, account, day, kind) DO NOTHING
    RETURNING to_idx, account, day, kind, state
)
SELECT to_idx, account, day, kind, state, true AS added FROM added
UNION ALL
SELECT e.to_idx, e.account, e.day, e.kind, e.state, false
FROM number_evidence AS e
WHERE e.to_idx = ANY($11::bytea[]) AND e.kind IN ('s', 'p') AND e.day >= $12;

-- name: evidence_against
-- What stands against these numbers in these accounts (NULL: in all), newest first.
SELECT to_idx, account, day, kind, state, reason, connector, error, message_id, at
FROM number_evidence
WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2)) AND day >= $3 AND kind <> 'd'
ORDER BY day DESC, kind, account;

-- name: evidence_deliveries
-- The days on which a handset took something, and the last moment of each. The last $6 messages of each number are looked
-- at; what went before the messages that are kept has a row. $5: the status.
SELECT to_idx, day, max(at) AS at
FROM (
    SELECT m.to_idx, (s.receipt_at AT TIME ZONE 'UTC')::date AS day, s.receipt_at AS at
    FROM unnest($1::bytea[]) AS asked (to_idx)
    CROSS JOIN LATERAL (
        SELECT id, to_idx FROM message
        WHERE to_idx = asked.to_idx AND id >= $4 AND ($2::smallint[] IS NULL OR account = ANY($2))
          AND connector <> -1  -- the sandbox
        ORDER BY id DESC
        LIMIT $6
    ) AS m
    JOIN submission AS s ON s.message_id = m.id AND s.id >= m.id AND s.status = $5 AND s.receipt_at IS NOT NULL
    UNION ALL
    SELECT to_idx, day, at FROM number_evidence
    WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2)) AND day >= $3 AND kind = 'd'
) AS delivered
WHERE day >= $3
GROUP BY 1, 2;

-- name: evidence_keep_deliveries
-- Deliveries of messages that are about to go ($1 to $2), as rows that outlive them. Not to persons that were erased.
INSERT INTO number_evidence (to_idx, account, day, kind, reason, connector, message_id, at, to_enc)
SELECT DISTINCT ON (m.to_idx, m.account, (s.receipt_at AT TIME ZONE 'UTC')::date)
       m.to_idx, m.account, (s.receipt_at AT TIME ZONE 'UTC')::date, 'd', 0, s.connector, m.id, s.receipt_at, m.to_enc
FROM message AS m
JOIN submission AS s ON s.message_id = m.id AND s.id >= m.id
WHERE m.id >= $1 AND m.id < $2 AND m.connector <> -1 AND m.to_enc <> '' AND s.status = $3 AND s.receipt_at IS NOT NULL
ORDER BY m.to_idx, m.account, (s.receipt_at AT TIME ZONE 'UTC')::date, s.receipt_at DESC
ON CONFLICT (to_idx, account, day, kind) DO NOTHING;

-- name: evidence_hold
-- The guard closes: what this connector proved since $2 waits for a person, too.
UPDATE number_evidence SET state = 1
WHERE connector = $1 AND kind = 'p' AND at >= $2 AND state = 0
RETURNING to_idx;

-- name: evidence_waiting
-- What waits for a person, by connector.
SELECT connector, count(*), min(at) FROM number_evidence WHERE state = 1 GROUP BY 1 ORDER BY 1;

-- name: evidence_settle
-- A person has decided about what waits of this connector, at most $3 of it: $2 is its state from now on.
UPDATE number_evidence AS e SET state = $2
FROM (
    SELECT to_idx, account, day, kind FROM number_evidence
    WHERE connector = $1 AND state = 1
    ORDER BY to_idx, account, day, kind
    LIMIT $3
    FOR UPDATE
) AS waiting
WHERE (e.to_idx, e.account, e.day, e.kind) = (waiting.to_idx, waiting.account, waiting.day, waiting.kind)
RETURNING e.to_idx, e.account, e.day, e.kind, e.reason, e.connector, e.error, e.message_id, e.at, e.to_enc;

-- name: evidence_undo
-- A person says of these numbers that they live: what stands against them counts no more.
UPDATE number_evidence SET state = 2
WHERE to_idx = ANY($1::bytea[]) AND kind IN ('s', 'p') AND state <> 2;

-- name: evidence_purge
-- Of days that are not kept.
DELETE FROM number_evidence
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM number_evidence WHERE day < ($1::timestamptz AT TIME ZONE 'UTC')::date ORDER BY day LIMIT $2
));

-- name: hygiene_delivered
-- Of the entries of hygiene behind a place, the oldest $4 made since it: which numbers were delivered to afterwards.
-- Messages from $5 on may still be on their way. $6: the status.
WITH entries AS (
    SELECT to_idx, created_at FROM suppression
    WHERE source = 'receipt' AND account = 0 AND category = -1 AND created_at >= $1
      AND (created_at, to_idx) > ($2, $3::bytea)
    ORDER BY created_at, to_idx
    LIMIT $4
)
SELECT e.to_idx, e.created_at, found.at AS delivered_at
FROM entries AS e
LEFT JOIN LATERAL (
    SELECT s.receipt_at AS at
    FROM message AS m
    JOIN submission AS s ON s.message_id = m.id AND s.id >= m.id
    WHERE m.to_idx = e.to_idx AND m.id >= $5 AND m.connector <> -1 AND s.status = $6 AND s.receipt_at > e.created_at
    LIMIT 1
) AS found ON true
ORDER BY e.created_at, e.to_idx;

-- name: prune_candidates
-- Numbers behind a place that something stands against which may suppress, in the order of their index.
SELECT DISTINCT to_idx FROM number_evidence
WHERE to_idx > $1::bytea AND kind IN ('s', 'p') AND state IN (0, 3) AND day >= $2
ORDER BY to_idx
LIMIT $3;

-- name: prune_evidence
-- All that stands against these numbers and counts, newest first.
SELECT to_idx, day, kind, reason, connector, error, message_id, to_enc
FROM number_evidence
WHERE to_idx = ANY($1::bytea[]) AND kind <> 'd' AND state IN (0, 3) AND day >= $2
ORDER BY to_idx, day DESC, kind;
