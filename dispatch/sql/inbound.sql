-- name: parts_hold
-- Repeated after a commit in doubt, some may stand already.
INSERT INTO inbound_part (id, owner, connector, from_enc, destination, reference, total, sequence, data_coding, octets)
SELECT new.id, $1, new.connector, new.from_enc, new.destination, new.reference, new.total, new.sequence,
       new.data_coding, new.octets
FROM unnest(
    $2::bigint[], $3::smallint[], $4::bytea[], $5::text[], $6::integer[], $7::smallint[], $8::smallint[],
    $9::smallint[], $10::bytea[]
) AS new (id, connector, from_enc, destination, reference, total, sequence, data_coding, octets)
ON CONFLICT (id) DO NOTHING;

-- name: parts_settle
UPDATE inbound_part AS p
SET inbound_id = settled.inbound_id
FROM unnest($1::bigint[], $2::bigint[]) AS settled (id, inbound_id)
WHERE p.id = settled.id;

-- name: parts_drop
DELETE FROM inbound_part WHERE id = ANY($1::bigint[]);

-- name: parts_take_over
-- What a process that has ended held; settled ones too, while a carrier may still repeat them.
UPDATE inbound_part
SET owner = $1, given = false
WHERE connector = ANY($2::smallint[])
  AND owner IN (SELECT term FROM owner_term WHERE ended_at IS NOT NULL)
  AND (inbound_id IS NULL OR id >= $3)
RETURNING id, connector, from_enc, destination, reference, total, sequence, data_coding, octets, inbound_id;

-- name: parts_elsewhere
-- What this process holds of messages whose first part a living one holds, and which: a few whole messages at a time.
-- Also of those that it has stored, while a carrier may still repeat a part: it knows them.
WITH first AS (
    SELECT DISTINCT ON (p.connector, p.from_enc, p.destination, p.reference, p.total)
           p.connector, p.from_enc, p.destination, p.reference, p.total, p.owner AS home
    FROM inbound_part AS p
    JOIN owner_term AS t ON t.term = p.owner AND t.ended_at IS NULL
    WHERE p.connector = ANY($2::smallint[]) AND (p.inbound_id IS NULL OR p.id >= $3)
    ORDER BY p.connector, p.from_enc, p.destination, p.reference, p.total, p.id
)
SELECT mine.id, mine.connector, mine.from_enc, mine.destination, mine.reference, mine.total, mine.sequence,
       mine.data_coding, mine.octets, mine.inbound_id, first.home
FROM inbound_part AS mine
JOIN first USING (connector, from_enc, destination, reference, total)
WHERE mine.owner = $1 AND mine.inbound_id IS NULL AND NOT mine.given AND first.home <> $1
ORDER BY mine.connector, mine.from_enc, mine.destination, mine.reference, mine.total, mine.id
LIMIT $4;

-- name: parts_give
UPDATE inbound_part AS p
SET owner = handed.home, given = true
FROM unnest($1::bigint[], $2::bigint[]) AS handed (id, home)
WHERE p.id = handed.id AND p.owner = $3 AND p.inbound_id IS NULL;

-- name: parts_keep
UPDATE inbound_part SET owner = $2, given = false WHERE id = ANY($1::bigint[]) AND given;

-- name: parts_given
SELECT id, connector, from_enc, destination, reference, total, sequence, data_coding, octets, inbound_id
FROM inbound_part
WHERE owner = $1 AND given AND connector = ANY($2::smallint[])
ORDER BY id;

-- name: parts_got
UPDATE inbound_part SET given = false WHERE id = ANY($1::bigint[]) AND owner = $2;

-- name: parts_purge
DELETE FROM inbound_part WHERE inbound_id IS NOT NULL AND id < $1;

-- name: repeats
-- Which of these are stored already, under an id of their own.
SELECT fingerprint FROM inbound_message
WHERE fingerprint = ANY($1::bytea[]) AND id >= $2 AND id <> ALL($3::bigint[]);

-- name: answered
-- The last message that was sent to each handset from the number it texts; the sandbox (-1) sends to none. Who waits for
-- his time is sent after others that came later, so the moment of the submit counts. A reply may be faster than the
-- result is stored: what may be on the wire counts where nothing else does.
-- $4: submits from there; $5: messages from there; $6: how many of the newest are looked at.
SELECT DISTINCT ON (asked.id) asked.id, sent.message_id, sent.account, sent.submitted_at
FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS asked (id, from_idx, destination)
CROSS JOIN LATERAL (
    SELECT m.id AS message_id, m.account, submitted.at AS submitted_at
    FROM (
        SELECT id, account
        FROM message
        WHERE to_idx = asked.from_idx AND id >= $5 AND connector <> -1 AND ltrim(sender, '+') = asked.destination
        ORDER BY id DESC
        LIMIT $6
    ) AS m
    CROSS JOIN LATERAL (
        SELECT max(s.submitted_at) AS at FROM submission AS s WHERE s.message_id = m.id AND s.id >= $4
    ) AS submitted
    WHERE submitted.at IS NOT NULL
        OR EXISTS (
            SELECT 1 FROM outbox AS o
            WHERE o.id = m.id
              AND (o.in_doubt OR EXISTS (SELECT 1 FROM submit_intent AS i WHERE o.id = ANY(i.message_ids)))
        )
) AS sent
ORDER BY asked.id, sent.submitted_at DESC NULLS LAST, sent.message_id DESC;

-- name: inbound_insert
INSERT INTO inbound_message
    (id, connector, account, from_enc, from_idx, destination, text, parts, parts_missing, keyword, answers, fingerprint,
     unclear, read_as, class, keyword_name, rating, text_days)
SELECT *
FROM unnest(
    $1::bigint[], $2::smallint[], $3::smallint[], $4::bytea[], $5::bytea[], $6::text[], $7::text[], $8::smallint[],
    $9::smallint[], $10::text[], $11::bigint[], $12::bytea[], $13::text[], $14::text[], $15::text[], $16::text[],
    $17::smallint[], $18::smallint[]
)
ON CONFLICT (id) DO NOTHING
RETURNING id;

-- name: opt_out_violations
-- Messages of a category whose first part went out after an opt-out that stands. A part after the first may: half a
-- message helps nobody. Another way begins anew.
SELECT s.account, m.sender, p.senders, count(DISTINCT s.message_id) AS messages
FROM submission AS s
JOIN message AS m ON m.id = s.message_id
JOIN suppression AS p ON p.to_idx = m.to_idx
WHERE s.id >= $1 AND s.id < $2
  AND s.category = $3
  AND s.part > 0
  AND p.reason = $4
  AND p.account IN (0, s.account)
  AND p.category IN (-1, s.category)
  AND s.submitted_at > p.created_at
  AND m.options -> 'exempt' IS NULL
  AND NOT EXISTS (
      SELECT 1 FROM submission AS earlier
      WHERE earlier.message_id = s.message_id AND earlier.part > 0 AND earlier.way = s.way
        AND earlier.submitted_at <= p.created_at
  )
GROUP BY s.account, m.sender, p.senders;

-- name: inbound_list
-- $5: those of one class. A release before stored but the keyword.
SELECT id, from_enc, destination, text, parts, parts_missing, keyword, answers, connector, unclear, read_as,
       coalesce(class, keyword) AS class, keyword_name, rating
FROM inbound_message
WHERE account = ANY($1::smallint[]) AND id >= $2 AND id < $3
  AND ($5::text IS NULL OR coalesce(class, keyword) = $5)
ORDER BY id DESC
LIMIT $4;
