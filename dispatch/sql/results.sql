-- name: results_close
-- Messages that are done ($1, as the text of an array, read once), and intents of which every message is.
WITH closed AS (DELETE FROM submit_intent WHERE id = ANY($2::bigint[]))
DELETE FROM outbox WHERE id = ANY((SELECT $1::text::bigint[])::bigint[]);

-- name: results_close_again
-- The same once more after a COMMIT whose answer never came. Meanwhile a message may go another way, begun by that very
-- COMMIT or by another process. Its new row stays: $3 is which way each message was done with.
WITH closed AS (DELETE FROM submit_intent WHERE id = ANY($2::bigint[]))
DELETE FROM outbox AS o
USING unnest($1::text::bigint[], $3::smallint[]) AS done (id, way)
WHERE o.id = done.id AND o.way = done.way AND o.owner = $4;

-- name: outbox_retry
-- Frees messages for another attempt. Any process that has a bind for them may take them when their time comes. Only
-- what is still ours and was not freed by this very record. When it is repeated after a commit in doubt, the row may
-- have been claimed again, by another process or by this one.
UPDATE outbox AS o
SET owner = 0, not_before = retry.not_before, attempt = retry.attempt, hold = retry.hold,
    connector = coalesce(nullif(retry.connector, 0), o.connector), in_doubt = o.in_doubt OR retry.in_doubt
FROM unnest($1::bigint[], $2::timestamptz[], $3::smallint[], $4::smallint[], $6::smallint[], $7::boolean[])
    AS retry (id, not_before, attempt, hold, connector, in_doubt)
WHERE o.id = retry.id AND o.owner = $5 AND o.not_before IS DISTINCT FROM retry.not_before;

-- name: outbox_answered_late
-- Messages that wait to be submitted again, of which it turns out that every part was taken.
DELETE FROM outbox AS o
USING unnest($1::bigint[], $2::smallint[]) AS late (id, parts)
WHERE o.id = late.id AND o.owner = 0 AND o.in_doubt
  AND late.parts <= (
      SELECT count(DISTINCT s.part)
      FROM submission AS s
      WHERE s.message_id = o.id AND s.id >= o.id AND s.part > 0 AND s.status > 5 AND NOT s.replaced
  );

-- name: recipients_of_messages
-- But for persons that were erased.
SELECT id, to_idx, to_enc FROM message WHERE id = ANY($1::bigint[]) AND to_enc <> '';
