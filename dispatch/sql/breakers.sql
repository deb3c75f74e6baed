-- name: breakers_holding
-- What every process has to know: open, probing, open by hand.
SELECT id, scope, subject, connector, account, batch_id, name, state
FROM breaker
WHERE state IN (1, 2, 3)
ORDER BY id
LIMIT $1;

-- name: breakers_all
-- Those that hold first, then the latest changed.
SELECT id, scope, subject, connector, account, batch_id, name, state, since, until, failures, round, taken, taken_at, baseline,
       wait_ms, evidence_from, actor, reason, octet_length(evidence) AS octets, evidence_sha256,
       (SELECT count(*) FROM (SELECT FROM breaker_hold AS h WHERE h.breaker = b.id LIMIT $2) AS one) AS held
FROM breaker AS b
WHERE ($3::text IS NULL OR scope = $3) AND ($4::smallint[] IS NULL OR state = ANY($4))
ORDER BY (state IN (1, 2, 3)) DESC, since DESC, id DESC
LIMIT $1;

-- name: breaker_shown
SELECT id, scope, subject, connector, account, batch_id, name, state, since, until, failures, round, taken, taken_at, baseline,
       wait_ms, evidence_from, actor, reason, octet_length(evidence) AS octets, evidence_sha256,
       (SELECT count(*) FROM (SELECT FROM breaker_hold AS h WHERE h.breaker = b.id LIMIT $3) AS one) AS held
FROM breaker AS b
WHERE scope = $1 AND subject = $2;

-- name: breaker_evidence
SELECT evidence FROM breaker WHERE scope = $1 AND subject = $2;

-- name: breaker_locked
SELECT id, scope, subject, connector, account, batch_id, name, state, since, until, failures, round, taken, taken_at, baseline,
       wait_ms, evidence_from, actor, reason, octet_length(evidence) AS octets, evidence_sha256
FROM breaker
WHERE scope = $1 AND subject = $2 FOR UPDATE;

-- name: breakers_at_hand
-- Those whose time may have come, or that have probes to judge; what another process is at is left to it. One that
-- opened in the future did so by a clock that was set back.
SELECT id, scope, subject, connector, account, batch_id, name, state, since, until, failures, round, taken, taken_at, baseline,
       wait_ms, evidence_from, actor, reason, octet_length(evidence) AS octets, evidence_sha256
FROM breaker
WHERE until <= $1 OR state = 2 OR (state = 1 AND since > $1) ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED;

-- name: breakers_probing
-- Locked in one order: the probes of a round are counted exactly, whichever process lets them through.
SELECT id, scope, subject, connector, account, batch_id, name, state, since, until, failures, round, taken, taken_at, baseline,
       wait_ms, evidence_from, actor, reason, octet_length(evidence) AS octets, evidence_sha256
FROM breaker
WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE;

-- name: breakers_count
SELECT count(*) FROM breaker;

-- name: breaker_forget
-- Makes room: of those that are closed, the one that changed first.
DELETE FROM breaker
WHERE id = (
    SELECT id FROM breaker AS b
    WHERE state = 0 AND NOT EXISTS (SELECT FROM breaker_hold AS h WHERE h.breaker = b.id)
    ORDER BY since
    LIMIT 1
)
RETURNING id;

-- name: breaker_insert
INSERT INTO breaker (id, scope, subject, connector, account, batch_id, name, state, since, until, failures, round, taken,
                     taken_at, baseline, wait_ms, evidence_from, actor, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19);

-- name: breaker_update
UPDATE breaker
SET state = $2, since = $3, until = $4, failures = $5, round = $6, taken = $7, taken_at = $8, baseline = $9, wait_ms = $10,
    evidence_from = $11, actor = $12, reason = $13
WHERE id = $1;

-- name: breaker_evidence_drop
UPDATE breaker SET evidence = NULL WHERE id = $1;

-- name: breaker_evidence_put
-- Unless it was opened anew, or closed, since what was read.
UPDATE breaker SET evidence = $2 WHERE id = $1 AND since = $3;

-- name: breaker_places
-- What messages are compared with and do not have in memory.
SELECT o.id, o.connector, m.campaign_id
FROM outbox AS o
JOIN message AS m ON m.id = o.id
WHERE o.id = ANY($1::bigint[]) AND m.id >= $2;

-- name: breaker_probes_of
SELECT breaker, message_id FROM breaker_probe WHERE breaker = ANY($1::bigint[]) AND message_id = ANY($2::bigint[]);

-- name: breaker_probes_put
INSERT INTO breaker_probe (breaker, message_id, round)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::smallint[])
ON CONFLICT DO NOTHING;

-- name: breaker_probes_unfit
-- Probes that another rule kept from the wire after all: they say nothing of it.
DELETE FROM breaker_probe AS p
WHERE p.breaker = $1 AND p.round = $2
  AND (
      EXISTS (
          SELECT FROM submission AS s
          WHERE s.message_id = p.message_id AND s.id >= p.message_id AND s.part = 0 AND s.status IN (71, 72, 73)
      )
      OR EXISTS (
          SELECT FROM outbox AS o
          WHERE o.id = p.message_id AND o.owner = 0 AND (o.connector <> $3 OR (o.not_before > now() AND o.hold <> 1))
      )
  );

-- name: breaker_probes_fared
-- The probes of a round by message: delivered, or ended otherwise. One with another attempt before it is neither.
-- $3: the breaker's connector. What a message came to by another one is no word about it.
SELECT count(*) FILTER (WHERE fared.delivered) AS delivered, count(*) FILTER (WHERE fared.failed) AS failed
FROM breaker_probe AS p
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE s.status = 60) >= max(s.parts) AS delivered, bool_or(s.status NOT IN (5, 10, 60)) AS failed
    FROM submission AS s
    WHERE s.message_id = p.message_id AND s.id >= p.message_id
      AND CASE WHEN $3::smallint IS NULL THEN NOT s.replaced ELSE s.connector IN ($3, 0) END
) AS fared
WHERE p.breaker = $1 AND p.round = $2;

-- name: breaker_probes_drop
DELETE FROM breaker_probe WHERE breaker = $1;

-- name: breaker_holds_put
INSERT INTO breaker_hold (breaker, message_id)
SELECT * FROM unnest($1::bigint[], $2::bigint[])
ON CONFLICT DO NOTHING;

-- name: breaker_lift
-- Lets go what a breaker held up to a moment: due now, and then the rates are asked. What is gone from the outbox, or
-- was freed otherwise, is only forgotten. What its process has not put back yet is met the next time. $7: what waits
-- alone, so that probes go although many that were held before them have expired.
WITH held AS (
    SELECT h.message_id, o.id IS NOT NULL AND o.owner = 0 AND o.hold = $5 AND o.not_before = $4 AS waits
    FROM breaker_hold AS h
    LEFT JOIN outbox AS o ON o.id = h.message_id
    WHERE h.breaker = $1 AND h.held_at <= $2
      AND (o.id IS NULL AND NOT $7::boolean OR o.owner = 0 AND (NOT $7 OR o.hold = $5 AND o.not_before = $4))
    ORDER BY h.message_id
    LIMIT $3
), lifted AS (
    UPDATE outbox AS o SET not_before = now(), hold = $6
    FROM held
    WHERE o.id = held.message_id AND held.waits AND o.owner = 0
), done AS (
    DELETE FROM breaker_hold AS h
    USING held
    WHERE h.breaker = $1 AND h.message_id = held.message_id
)
SELECT count(*) FROM held;

-- name: breakers_to_lift
-- Those with messages to let go that hold nothing back any more.
SELECT id FROM breaker AS b
WHERE state NOT IN (1, 2, 3) AND EXISTS (SELECT FROM breaker_hold AS h WHERE h.breaker = b.id)
LIMIT $1;

-- name: breaker_batch
-- Whose batch it is.
SELECT account FROM batch_control WHERE id = $1;

-- name: breaker_submissions_met
-- How many parts breaker_submissions looks at.
SELECT count(*)
FROM (
    SELECT FROM submission
    WHERE id >= $1 AND id < $2 AND part > 0
      AND ($3::smallint IS NULL OR connector = $3) AND ($4::smallint IS NULL OR account = $4)
    LIMIT $5
) AS met;

-- name: breaker_submissions
-- The latest parts that went to the wire between two ids, of what a breaker is about. The operator of a number is not
-- stored with it: who asks for one sorts them out.
SELECT s.id, s.message_id, s.part, s.status, s.reason, s.error, s.submitted_at, s.responded_at, s.receipt_at, m.to_enc
FROM (
    SELECT * FROM submission
    WHERE id >= $1 AND id < $2 AND part > 0
      AND ($3::smallint IS NULL OR connector = $3) AND ($4::smallint IS NULL OR account = $4)
    ORDER BY id DESC
    LIMIT $8
) AS s
JOIN message AS m ON m.id = s.message_id
WHERE ($5::bigint IS NULL OR m.batch_id = $5)
  AND ($6::text IS NULL OR m.campaign_id = $6)
  AND ($7::text IS NULL OR m.sender = $7)
ORDER BY s.id DESC;

-- name: breaker_usual
-- What was sent between two days of what a breaker is about, and of that delivered within an hour. One-time passwords
-- are left out.
SELECT coalesce(sum(d.d1h), 0) AS delivered, coalesce(sum(d.sent), 0) AS sent
FROM rollup_day AS d
JOIN rollup_key AS k ON k.id = d.key
WHERE d.day >= $1 AND d.day < $2 AND k.category <> 0
  AND ($3::smallint IS NULL OR k.connector = $3)
  AND ($4::smallint IS NULL OR k.account = $4)
  AND ($5::text IS NULL OR EXISTS (
      SELECT FROM rollup_name AS n
      WHERE n.name = $5 AND n.kind = $6 AND n.id = CASE WHEN $6 = $7 THEN k.sender ELSE k.campaign END
  ));
