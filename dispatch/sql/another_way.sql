-- name: another_way_lock
-- Two processes that are told of two parts at once: the second one sees what the first was told.
SELECT FROM message WHERE id = ANY($1::bigint[]) AND id BETWEEN $2 AND $3 ORDER BY id FOR NO KEY UPDATE;

-- name: another_way_messages
-- Those of these messages that still may be sent: in their validity, with a number and a text, not of the sandbox.
-- `refused_by`: the connectors that refused an attempt. `doubtful`: an attempt was in doubt once. `unfinished`: parts of
-- it have no answer yet, or wait for another attempt.
SELECT m.id, m.account, m.category, m.parts, m.sender, m.to_enc, m.tags, m.batch_id, m.priority, m.expires_at,
       told.refused_by, told.doubtful, EXISTS (SELECT FROM outbox AS o WHERE o.id = m.id) AS unfinished
FROM message AS m
CROSS JOIN LATERAL (
    SELECT array_agg((e.detail ->> 'connector')::smallint) FILTER (WHERE e.kind = 'retry') AS refused_by,
           coalesce(bool_or(e.kind = 'in_doubt'), false) AS doubtful
    FROM event AS e
    WHERE e.message_id = m.id AND e.id >= m.id AND e.kind IN ('retry', 'in_doubt')
) AS told
WHERE m.id = ANY($1::bigint[]) AND m.id BETWEEN $2 AND $3 AND m.connector <> -1 AND m.to_enc <> '' AND m.text <> ''
  AND (m.expires_at IS NULL OR m.expires_at > now());

-- name: another_way_submits
SELECT message_id, part, parts, connector, status, reason, error, way, replaced, receipt_at IS NOT NULL AS told
FROM submission
WHERE message_id = ANY($1::bigint[]) AND id >= $2
ORDER BY message_id, id;

-- name: another_way_batches
-- Locked, so that a cancel sees what is put into the outbox, or is seen.
SELECT id, state FROM batch_control WHERE id = ANY($1::bigint[]) ORDER BY id FOR SHARE;

-- name: another_way_begin
-- $10: the connectors of the ways before, as the text of an array.
INSERT INTO outbox (
    id, owner, connector, category, account, parts, not_before, hold, expires_at, batch_id, priority, way, tried
)
SELECT id, 0, connector, category, account, parts, now(), $11, expires_at, batch_id, priority, way, tried::smallint[]
FROM unnest(
    $1::bigint[], $2::smallint[], $3::smallint[], $4::smallint[], $5::smallint[], $6::timestamptz[], $7::bigint[],
    $8::smallint[], $9::smallint[], $10::text[]
) AS begun (id, connector, category, account, parts, expires_at, batch_id, priority, way, tried);

-- name: another_way_needless
-- Delivered by an earlier way after all, before the present one began.
DELETE FROM outbox AS o
WHERE o.id = ANY($1::bigint[]) AND o.owner = 0 AND o.way > 0 AND NOT o.in_doubt
  AND NOT EXISTS (SELECT FROM submit_intent AS i WHERE o.id = ANY(i.message_ids))
  AND EXISTS (
      SELECT FROM submission AS s
      WHERE s.message_id = o.id AND s.id >= o.id AND NOT s.replaced AND s.way < o.way
  )
RETURNING o.id, o.connector;

-- name: ways_overtaken
-- Messages that a way delivered, if only in part, and which. Only that one counts.
SELECT DISTINCT message_id, way FROM submission
WHERE message_id = ANY($1::bigint[]) AND id >= $2 AND status = $3 AND part > 0 AND NOT replaced;
