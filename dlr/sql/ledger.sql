-- name: submission_insert_again
-- The same rows once more after a COMMIT whose answer never came: those that are there stay as they are.
INSERT INTO submission (
    id, message_id, part, parts, account, category, connector, status, reason, error, carrier_id,
    submitted_at, responded_at, receipt_at, done_at, segments, way
)
SELECT * FROM unnest(
    $1::bigint[], $2::bigint[], $3::smallint[], $4::smallint[], $5::smallint[], $6::smallint[],
    $7::smallint[], $8::smallint[], $9::smallint[], $10::text[], $11::text[],
    $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::smallint[], $17::smallint[]
)
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: submission_match
-- The submissions that each (connector, carrier id) may mean, the newest $5, open ones first (E8); never one of another
-- connector. LATERAL with LIMIT, so that however old the statistics are, this is one index probe per receipt and
-- partition, and $3 prunes the partitions.
SELECT wanted.position, found.*
FROM unnest($1::smallint[], $2::text[]) WITH ORDINALITY AS wanted (connector, carrier_id, position)
CROSS JOIN LATERAL (
    SELECT s.id, s.message_id, s.connector, s.parts, s.status
    FROM submission AS s
    WHERE s.connector = wanted.connector AND s.carrier_id = wanted.carrier_id AND s.id >= $3
    ORDER BY s.status < $4 DESC, s.id DESC
    LIMIT $5
) AS found;

-- name: submission_match_number
-- The same of one number each ($4), by way of its messages: few, where very many submits have the id.
SELECT wanted.position, found.*
FROM unnest($1::integer[], $2::smallint[], $3::text[], $4::bytea[]) AS wanted (position, connector, carrier_id, to_idx)
CROSS JOIN LATERAL (
    SELECT s.id, s.message_id, s.connector, s.parts, s.status
    FROM message AS m JOIN submission AS s ON s.message_id = m.id AND s.id >= $5
    WHERE m.to_idx = wanted.to_idx AND m.id >= $5 AND s.connector = wanted.connector AND s.carrier_id = wanted.carrier_id
    ORDER BY s.status < $6 DESC, s.id DESC
    LIMIT $7
) AS found;

-- name: messages_matched
-- Whom messages went to, and how many of their parts have a row.
SELECT m.id, m.to_idx, (
    SELECT count(DISTINCT s.part) FROM submission AS s WHERE s.message_id = m.id AND s.id >= m.id AND s.part > 0
) AS parts_known
FROM message AS m
WHERE m.id = ANY($1::bigint[]);

-- name: submission_apply
-- Raises the status of each submission to what its receipt says, never lowers it. Answers with what was there before.
-- $1 to $3 and $9: numbers as the text of an array. $9: what it may be raised from lies below.
-- $10, $11: how long before the submit and after its arrival a receipt's date is believed (dlr/receipt_times.py).
WITH incoming AS (
    SELECT *
    FROM unnest(
        $1::text::bigint[], $2::text::smallint[], $3::text::smallint[],
        $4::text[], $5::timestamptz[], $6::timestamptz[], $9::text::smallint[]
    ) AS receipt (id, status, reason, error, done_at, received_at, below)
), present AS MATERIALIZED (
    SELECT s.id, s.message_id, s.part, s.parts, s.account, s.category, s.status, s.way, s.replaced
    FROM incoming
    CROSS JOIN LATERAL (
        SELECT * FROM submission WHERE id = incoming.id AND id BETWEEN $7 AND $8 LIMIT 1
    ) AS s
), changed AS (
    UPDATE submission AS s
    SET status = incoming.status,
        reason = incoming.reason,
        error = incoming.error,
        done_at = CASE
            WHEN incoming.done_at < s.submitted_at - $10::interval OR incoming.done_at > incoming.received_at + $11::interval
            THEN incoming.received_at
            ELSE incoming.done_at
        END,
        receipt_at = incoming.received_at
    FROM incoming
    WHERE s.id = incoming.id AND s.id BETWEEN $7 AND $8 AND s.status < least(incoming.status, incoming.below)
    RETURNING s.id, s.done_at
)
SELECT present.id, present.message_id, present.part, present.parts, present.account, present.category, present.status,
       changed.id IS NOT NULL AS changed, changed.done_at, present.way, present.replaced
FROM present LEFT JOIN changed USING (id);

-- name: unmatched_park
INSERT INTO unmatched_receipt (
    id, connector, carrier_id, status, reason, error, done_at, received_at, to_idx, sender, unknown_state, reference_id,
    other_idx
)
SELECT * FROM unnest(
    $1::bigint[], $2::smallint[], $3::text[], $4::smallint[], $5::smallint[], $6::text[],
    $7::timestamptz[], $8::timestamptz[], $9::bytea[], $10::text[], $11::text[], $12::bigint[], $13::bytea[]
)
ON CONFLICT (id) DO NOTHING;

-- name: unmatched_join
-- Takes out the receipts that were here before the submit_sm_resp they belong to (E11). Not those older than $4: they
-- belong to an earlier use of the same carrier id.
DELETE FROM unmatched_receipt AS u
USING unnest($1::smallint[], $2::text[]) AS answered (connector, carrier_id)
WHERE u.connector = answered.connector AND u.carrier_id = answered.carrier_id
  AND u.received_at >= coalesce($3::timestamptz, now()) - $4::interval
RETURNING u.connector, u.carrier_id, u.status, u.reason, u.error, u.done_at, u.received_at, u.to_idx, u.sender,
    u.unknown_state, u.reference_id, u.other_idx;

-- name: unmatched_take
DELETE FROM unmatched_receipt WHERE id = ANY($1::bigint[]);

-- name: submission_retract
DELETE FROM submission WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND part = 0;

-- name: submission_word
-- $3, $4: the status of a row without the wire that has no words yet, and the words.
UPDATE submission AS s SET error = $4
FROM unnest($1::bigint[], $2::smallint[]) AS wanted (message_id, account)
WHERE s.message_id = wanted.message_id AND s.id >= wanted.message_id AND s.account = wanted.account
  AND s.part = 0 AND s.status = $3 AND s.error IS NULL AND NOT s.replaced
RETURNING s.message_id;
