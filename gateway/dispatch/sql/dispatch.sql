-- name: outbox_delete
DELETE FROM outbox WHERE id = ANY($1::bigint[]);

-- name: outbox_retry
-- Frees messages for another attempt; any process that has a bind for them may take them when their time comes.
UPDATE outbox AS o
SET owner = 0, not_before = retry.not_before, attempt = retry.attempt
FROM unnest($1::bigint[], $2::timestamptz[], $3::smallint[]) AS retry (id, not_before, attempt)
WHERE o.id = retry.id;

-- name: intent_open
INSERT INTO submit_intent (id, owner, connector, message_ids)
VALUES ($1, $2, $3, $4);

-- name: intent_close
DELETE FROM submit_intent WHERE id = ANY($1::bigint[]);

-- name: recipients_of_messages
SELECT id, to_idx FROM message WHERE id = ANY($1::bigint[]);

-- name: outbox_claim
-- Takes free messages of one connector and category, oldest first, from the cursor on. SKIP LOCKED: two processes
-- never wait for each other. At most 500 rows: beyond that the plan flips (measured at 2 000: 62 ms a claim).
WITH free AS (
    SELECT id
    FROM outbox
    WHERE owner = 0 AND not_before IS NULL AND connector = $2 AND category = $3 AND id > $4
    ORDER BY id
    LIMIT $5
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE outbox AS o SET owner = $1 FROM free WHERE o.id = free.id
    RETURNING o.id, o.attempt
)
SELECT claimed.id, claimed.attempt, m.account, m.category, m.parts, m.sender, m.to_enc, m.to_idx, m.text, m.expires_at
FROM claimed JOIN message AS m ON m.id = claimed.id
ORDER BY claimed.id;

-- name: outbox_claim_due
-- Takes messages of one connector, of any category, whose time has come: the longest overdue first.
WITH due AS (
    SELECT id
    FROM outbox
    WHERE owner = 0 AND not_before <= now() AND connector = $2
    ORDER BY not_before
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE outbox AS o SET owner = $1 FROM due WHERE o.id = due.id
    RETURNING o.id, o.attempt
)
SELECT claimed.id, claimed.attempt, m.account, m.category, m.parts, m.sender, m.to_enc, m.to_idx, m.text, m.expires_at
FROM claimed JOIN message AS m ON m.id = claimed.id
ORDER BY claimed.id;

-- name: parts_done
-- Which parts of half-sent messages already have a result (E79).
SELECT message_id, part FROM submission WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND part > 0;

-- name: outbox_unclaim
-- Gives back what this process holds, at the end of its life or of a connector's.
UPDATE outbox SET owner = 0 WHERE owner = $1;

-- name: outbox_unclaim_messages
UPDATE outbox SET owner = 0 WHERE id = ANY($1::bigint[]) AND owner = $2;

-- name: intents_of_terms
SELECT id, connector, message_ids FROM submit_intent WHERE owner = ANY($1::bigint[]) ORDER BY id;

-- name: in_doubt
-- Messages of a dead term's open intents that still stand in the outbox: they may have been sent.
SELECT o.id, o.category, o.account, o.parts, o.attempt, o.connector
FROM outbox AS o
WHERE o.id = ANY($1::bigint[]);

-- name: outbox_take_over
UPDATE outbox SET owner = 0 WHERE owner = ANY($1::bigint[]);

-- name: outbox_resend
-- The attempt counts: a message that kills its process each time must not be sent for ever (E30).
UPDATE outbox SET owner = 0, attempt = attempt + 1 WHERE id = ANY($1::bigint[]);

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
