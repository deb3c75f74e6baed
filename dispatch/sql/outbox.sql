-- name: outbox_free
-- Free messages of one connector and category out of the spans asked for, in their order. A span is a stretch of one
-- priority band, from a position (unit, id) on and before a unit. SKIP LOCKED: two processes never wait for each
-- other. At most 500 rows: beyond that the plan flips (62 ms a claim at 2 000).
SELECT found.id, found.attempt, found.in_doubt, found.way, found.unit, found.hold, span.band
FROM unnest($3::integer[], $4::bigint[], $5::bigint[], $6::bigint[]) AS span (band, unit, id, until)
CROSS JOIN LATERAL (
    SELECT o.id, o.attempt, o.in_doubt, o.way, o.hold, COALESCE(o.batch_id, o.id) AS unit
    FROM outbox AS o
    WHERE o.owner = 0 AND o.not_before IS NULL AND o.connector = $1 AND o.category = $2
      AND o.priority * 3 / 10 = span.band
      AND (COALESCE(o.batch_id, o.id), o.id) > (span.unit, span.id) AND COALESCE(o.batch_id, o.id) < span.until
    ORDER BY COALESCE(o.batch_id, o.id), o.id
    LIMIT $7
    FOR UPDATE SKIP LOCKED
) AS found
LIMIT $7;

-- name: outbox_due
-- Messages of one connector whose time has come: of each category so many, the longest overdue first.
SELECT due.id, due.attempt, due.in_doubt, due.way, due.account, due.category, due.parts, due.hold, due.batch_id
FROM unnest($2::smallint[], $3::integer[]) AS wanted (category, room)
CROSS JOIN LATERAL (
    SELECT o.id, o.attempt, o.in_doubt, o.way, o.account, o.category, o.parts, o.hold, o.batch_id
    FROM outbox AS o
    WHERE o.owner = 0 AND o.not_before <= now() AND o.connector = $1 AND o.category = wanted.category
    ORDER BY o.not_before
    LIMIT wanted.room
    FOR UPDATE SKIP LOCKED
) AS due;

-- name: outbox_pace
-- Released, and not yet its turn: waits on, so many microseconds, or until a stop is lifted.
UPDATE outbox AS o
SET not_before = coalesce(now() + paced.wait * interval '1 microsecond', $4), hold = paced.hold
FROM unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS paced (id, wait, hold)
WHERE o.id = paced.id;

-- name: messages_released
-- What the rates look at, in the order in which they were accepted.
SELECT id, sender, to_enc, to_idx, tags
FROM message
WHERE id = ANY($1::bigint[]) AND id >= $2
ORDER BY id;

-- name: outbox_due_after
-- As outbox_due, from a moment on: what could not be moved is passed over.
SELECT id, not_before
FROM outbox
WHERE owner = 0 AND not_before <= now() AND connector = $1 AND (not_before, id) > ($2, $3::bigint)
ORDER BY not_before, id
LIMIT $4
FOR UPDATE SKIP LOCKED;

-- name: messages_waiting
-- What the route is decided from, and whether a part was sent already: then the others follow it (E80).
SELECT m.id, m.account, m.category, m.sender, m.to_enc, m.tags, o.in_doubt, o.tried,
       m.parts > 1 AND EXISTS (
           SELECT 1 FROM submission AS s
           WHERE s.message_id = m.id AND s.id >= $2 AND s.part > 0 AND NOT s.replaced
       ) AS begun
FROM outbox AS o
JOIN message AS m ON m.id = o.id
WHERE o.id = ANY($1::bigint[]);

-- name: outbox_move
UPDATE outbox AS o
SET connector = moved.connector
FROM unnest($1::bigint[], $2::smallint[]) AS moved (id, connector)
WHERE o.id = moved.id AND o.owner = 0;

-- name: outbox_lift_stops
-- What a rate of 0 holds, at the far end of each connector's timetable: due now, and then the rates are asked.
UPDATE outbox
SET not_before = now(), hold = $4
WHERE id IN (
    SELECT o.id
    FROM connector AS c
    JOIN outbox AS o ON o.connector = c.id
    WHERE o.owner = 0 AND o.not_before = $2 AND o.hold = ANY($1::smallint[])
      AND NOT (o.hold = $5 AND o.account = ANY($6::integer[]))
    LIMIT $3
    FOR UPDATE OF o SKIP LOCKED
);

-- name: outbox_put_off
-- What has a moment from a rate, after a position in one connector's timetable and after now.
SELECT id, not_before, hold, account
FROM outbox
WHERE owner = 0 AND connector = $1 AND (not_before, id) > (greatest($2, now()), $3::bigint) AND not_before < $4
  AND hold = ANY($5::smallint[])
ORDER BY not_before, id
LIMIT $6;

-- name: outbox_hasten
UPDATE outbox SET not_before = now(), hold = $3
WHERE id = ANY($1::bigint[]) AND owner = 0 AND not_before > now() AND hold = ANY($2::smallint[]);

-- name: outbox_expire
-- Takes out what waited until it is of no use, those that ended first; what somebody holds in memory ends there.
DELETE FROM outbox
WHERE id IN (
    SELECT id FROM outbox
    WHERE owner = 0 AND expires_at <= $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
RETURNING id, connector, category, account, parts, in_doubt, way,
    -- Of a first way it is not asked.
    way > 0 AND EXISTS (
        SELECT FROM submission AS s
        WHERE s.message_id = outbox.id AND s.id >= outbox.id AND s.part > 0 AND NOT s.replaced
    ) AS begun;

-- name: outbox_unreadable
DELETE FROM outbox WHERE id = ANY($1::bigint[]) AND owner = $2
RETURNING id, connector, category, account, parts, in_doubt, way;

-- name: outbox_no_moment
-- Their batch is stopped or has a rate of its own; if it goes on as it was, the rates are asked first.
UPDATE outbox SET not_before = NULL, hold = $2 WHERE id = ANY($1::bigint[]);

-- name: outbox_due_now
UPDATE outbox SET not_before = now() WHERE id = ANY($1::bigint[]);

-- name: batch_paid
-- The rate of a batch and until when all that it let go is paid for; one process at a time.
SELECT rate, until_id, greatest(paid_until, clock_timestamp() - '1 day'::interval) AS paid_until,
       clock_timestamp() AS now
FROM batch_control
WHERE id = $1 AND state = 0 AND rate IS NOT NULL
FOR UPDATE SKIP LOCKED;

-- name: batch_pay
UPDATE batch_control SET paid_until = $2 WHERE id = $1;

-- name: outbox_of_batch
-- The next free messages of one batch, from an id on: its messages stand together in the primary key.
SELECT id, attempt, in_doubt, way, connector, parts
FROM outbox
WHERE id > $2 AND id <= $3 AND batch_id = $1 AND owner = 0 AND not_before IS NULL AND connector = ANY($4::smallint[])
ORDER BY id
LIMIT $5
FOR UPDATE SKIP LOCKED;

-- name: outbox_claim
UPDATE outbox SET owner = $2 WHERE id = ANY($1::bigint[]);

-- name: messages_claimed
SELECT m.id, claimed.attempt, m.account, m.category, m.parts, m.sender, m.to_enc, m.to_idx, m.text, m.expires_at,
       m.batch_id, m.priority, m.options, m.tags, claimed.in_doubt
FROM unnest($1::bigint[], $2::smallint[], $3::boolean[]) WITH ORDINALITY AS claimed (id, attempt, in_doubt, position)
JOIN message AS m ON m.id = claimed.id
ORDER BY claimed.position;

-- name: outbox_tried
SELECT id, tried FROM outbox WHERE id = ANY($1::bigint[]);

-- name: parts_done
-- Which parts of half-sent messages already have a result (E79).
-- Those of another way are not asked about. A part in doubt has a result too, until somebody asks for it to be submitted again (dlr/in_doubt.py).
SELECT message_id, part, parts, segments
FROM submission
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND part > 0 AND NOT replaced
  AND (status > 5 OR error IS DISTINCT FROM 'resent');

-- name: outbox_whole
-- Messages that this process has claimed and of which every part has a result.
DELETE FROM outbox WHERE id = ANY($1::bigint[]) AND owner = $2;

-- name: outbox_unclaim
-- Gives back what this process holds at the end of its life. What an open intent names may have been sent: its result
-- could not be stored, so it stays for the recovery, which asks its category.
UPDATE outbox SET owner = 0
WHERE owner = $1
  AND id NOT IN (SELECT unnest(message_ids) FROM submit_intent WHERE owner = $1);

-- name: outbox_unclaim_messages
UPDATE outbox SET owner = 0 WHERE id = ANY($1::bigint[]) AND owner = $2;

-- name: in_doubt
-- Messages of dead terms' open intents that the dead still hold: they may have been sent. What was freed for another
-- attempt, or is another process's by now, had its answer.
SELECT o.id, o.category, o.account, o.parts, o.attempt, o.connector, o.way
FROM outbox AS o
WHERE o.id = ANY($1::bigint[]) AND o.owner = ANY($2::bigint[]);

-- name: outbox_take_over
UPDATE outbox SET owner = 0 WHERE owner = ANY($1::bigint[]);

-- name: outbox_resend
-- The attempt counts: a message that kills its process each time must not be sent for ever (E30).
UPDATE outbox SET owner = 0, attempt = attempt + 1, in_doubt = true WHERE id = ANY($1::bigint[]);

-- name: ended_terms_with_work
-- Terms that ended, by their own hand or by a take-over that died half-way, and still hold something.
SELECT t.term
FROM owner_term AS t
JOIN (
    SELECT owner FROM submit_intent
    UNION
    SELECT owner FROM outbox WHERE owner <> 0
) AS held ON held.owner = t.term
WHERE t.ended_at IS NOT NULL;

-- name: recovery_lock
-- One process at a time settles what the dead left.
SELECT pg_advisory_xact_lock(7307061101);

-- name: outbox_opted_out
-- Entries of the suppression list behind a place ($1..$4) in the order of their creation, and what waits for their
-- numbers in no process's memory. An entry for which nothing waits has one row without a message.
SELECT e.created_at, e.to_idx, e.account AS of_account, e.category AS of_category, e.senders, m.id, m.account, m.sender
FROM (
    SELECT created_at, to_idx, account, category, senders
    FROM suppression
    WHERE (created_at, to_idx, account, category) > ($1, $2, $3::smallint, $4::smallint)
      AND reason = $5 AND (expires_at IS NULL OR expires_at > now())
    ORDER BY created_at, to_idx, account, category
    LIMIT $6
) AS e
LEFT JOIN LATERAL (
    SELECT message.id, message.account, message.sender
    FROM message
    JOIN outbox AS o ON o.id = message.id
    WHERE message.to_idx = e.to_idx AND message.id >= $7 AND o.owner = 0
      AND e.account IN (0, message.account) AND e.category IN (-1, message.category)
      AND message.options -> 'exempt' IS NULL
    LIMIT $8
) AS m ON true;

-- name: outbox_withdraw
-- What was certainly never on the wire, by its present way. No open intent names it, no part of it has a result, and it
-- is not in doubt.
-- The others are the last look's.
DELETE FROM outbox
WHERE id IN (
    SELECT o.id FROM outbox AS o
    WHERE o.id = ANY($1::bigint[]) AND o.owner = 0 AND NOT o.in_doubt
      AND NOT EXISTS (SELECT 1 FROM submit_intent AS i WHERE o.id = ANY(i.message_ids))
      AND NOT EXISTS (
          SELECT 1 FROM submission AS s
          WHERE s.message_id = o.id AND s.id >= o.id AND s.part > 0 AND NOT s.replaced
      )
    FOR UPDATE SKIP LOCKED
)
RETURNING id, connector, category, account, parts, way;

-- name: outbox_count
SELECT count(*) FROM outbox;

-- name: outbox_take
-- Everything that waits, the oldest first; nobody else is at work.
DELETE FROM outbox
WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT $1)
RETURNING id, connector, category, account, parts, in_doubt, way;

-- name: intents_forget
DELETE FROM submit_intent;
