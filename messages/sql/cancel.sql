-- name: control_shared
-- Held by every transaction that names messages in an intent. Whoever stops messages takes it alone. Then no intent is
-- being written that did not see the stop, and those that are open are all there is.
SELECT pg_advisory_xact_lock_shared(control_lock());

-- name: control_alone
SELECT pg_advisory_xact_lock(control_lock());

-- name: stopped
-- Which of these batches are not active, and whether any message was canceled while it was in memory.
SELECT ARRAY(SELECT id FROM batch_control WHERE id = ANY($1::bigint[]) AND state <> 0) AS batches,
       EXISTS (SELECT 1 FROM message_cancel) AS canceled;

-- name: batches_live_again
-- Stopped batches of which nothing waited any more, until a message of theirs began to go another way.
UPDATE batch_control SET live = true
WHERE id IN (SELECT id FROM batch_control WHERE id = ANY($1::bigint[]) AND NOT live ORDER BY id FOR UPDATE);

-- name: take_canceled
-- Those of these messages that were canceled; forgotten here, since whoever asks drops them.
DELETE FROM message_cancel WHERE message_id = ANY($1::bigint[]) RETURNING message_id;

-- name: cancel_messages
-- Takes out of the outbox what was certainly never on the wire. No open intent names it, no part of it has a result,
-- by whatever way, and it is not sent again after a doubt.
DELETE FROM outbox AS o
USING unnest($1::bigint[], $2::smallint[]) AS wanted (id, account)
WHERE o.id = wanted.id AND o.account = wanted.account
  AND NOT EXISTS (SELECT 1 FROM submit_intent AS i WHERE o.id = ANY(i.message_ids))
  AND NOT EXISTS (SELECT 1 FROM submission AS s WHERE s.message_id = o.id AND s.id >= o.id AND s.part > 0)
  AND NOT o.in_doubt
RETURNING o.id, o.owner, o.connector, o.category, o.account, o.parts, o.way;

-- name: canceled_alone
-- Which of these messages, with ids from $2 on, have ended as $3 in the words of $4.
SELECT message_id FROM submission
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND part = 0 AND status = $3 AND error = $4 AND NOT replaced;

-- name: remember_canceled
INSERT INTO message_cancel (message_id, owner)
SELECT * FROM unnest($1::bigint[], $2::bigint[])
ON CONFLICT DO NOTHING;

-- name: forget_canceled
-- Of processes that ended: nobody holds these in memory any more.
DELETE FROM message_cancel AS c
USING owner_term AS t
WHERE t.term = c.owner AND t.ended_at IS NOT NULL;
