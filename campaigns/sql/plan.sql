-- name: plan_table
-- Whom the segment names; analyzed before the plan is made, so that its size is known.
CREATE TEMP TABLE planned_audience (contact bigint NOT NULL) ON COMMIT DROP;

-- name: plan_audience
-- The slot takes the SELECT of a segment (campaigns/segments/compiling.py), which has all parameters.
INSERT INTO planned_audience SELECT id FROM ({segment}) AS segment (id);

-- name: plan_unresponsive_table
-- Whom recalls have not moved, where they are left out.
CREATE TEMP TABLE planned_unresponsive (contact bigint NOT NULL) ON COMMIT DROP;

-- name: plan_unresponsive
-- As plan_audience.
INSERT INTO planned_unresponsive SELECT id FROM ({segment}) AS segment (id);

-- name: plan_segments_table
CREATE TEMP TABLE planned_segment (contact bigint NOT NULL, bits smallint NOT NULL) ON COMMIT DROP;

-- name: plan_segment
-- As plan_audience; the bit stands behind the segment's own parameters.
INSERT INTO planned_segment SELECT id, ${place}::smallint FROM ({segment}) AS segment (id);

-- name: plan_hold
-- While a plan is made, numbers of contacts keep their indexes. What holds it for a change of them does not wait.
SELECT pg_advisory_xact_lock_shared(7307061174);

-- name: plan_hold_alone
-- Whether no plan is made; none begins before the transaction ends.
SELECT pg_try_advisory_xact_lock(7307061174);

-- name: plan_forms_table
-- Further indexes (`form`) of numbers that are found under one: none, but while the number key changes.
CREATE TEMP TABLE planned_form (to_idx bytea NOT NULL, form bytea NOT NULL) ON COMMIT DROP;

-- name: plan_numbers
-- The numbers of the audience of an account ($1).
SELECT n.to_idx, n.to_enc
FROM planned_audience AS a
JOIN contact_number AS n ON n.contact = a.contact AND n.account = $1;

-- name: plan_forms_add
INSERT INTO planned_form (to_idx, form) SELECT to_idx, form FROM unnest($1::bytea[], $2::bytea[]) AS u (to_idx, form);

-- name: plan_forget
DELETE FROM campaign_recipient WHERE campaign = $1;

-- name: plan_forget_excluded
DELETE FROM campaign_excluded WHERE campaign = $1;

-- name: plan
-- Everybody of the audience is planned, or excluded with a reason; which they are is counted. $4: tags that are left
-- out. $5: whether consent is needed. $6: uppers of the arms. $7: holdout in ten-thousandths. $8: the canary's share; its
-- least is $9, its most $10. $11: minutes of spread. $12: salt. $13: sender. A suppression of some senders counts here only
-- if it names this one; the accepter asks it in full. $14, $15: salt and ten-thousandths of the global holdout. $16: those
-- of the test, who come first; 10000: everybody. The canary is of the test, also where that is smaller by itself.
-- `planned_segment`: the segments of its report. Who said no for one of their numbers is not texted under another. What
-- receipts alone say of a number is no word of its owner. What was said under another index of `planned_form` counts, too.
WITH listed AS MATERIALIZED (
    SELECT to_idx, bool_or(source <> 'receipt') AS said_no
    FROM suppression
    WHERE account IN (0, $2) AND category IN (-1, $3) AND (expires_at IS NULL OR expires_at > now())
      AND (senders IS NULL OR $13 = ANY(senders))
    GROUP BY to_idx
), suppressed AS MATERIALIZED (
    SELECT to_idx, bool_or(said_no) AS said_no
    FROM (
        SELECT to_idx, said_no FROM listed
        UNION ALL
        SELECT f.to_idx, l.said_no FROM planned_form AS f JOIN listed AS l ON l.to_idx = f.form
    ) AS either
    GROUP BY to_idx
), said_no_elsewhere AS MATERIALIZED (
    SELECT DISTINCT n.contact
    FROM suppressed AS s
    JOIN contact_number AS n ON n.account = $2 AND n.to_idx = s.to_idx
    WHERE s.said_no AND n.rank > 0
), consenting AS MATERIALIZED (
    SELECT to_idx
    FROM (
        SELECT DISTINCT ON (to_idx) to_idx, granted
        FROM (
            SELECT to_idx, granted, at, id FROM consent WHERE $5 AND account = $2 AND category = $3
            UNION ALL
            SELECT f.to_idx, c.granted, c.at, c.id
            FROM planned_form AS f
            JOIN consent AS c ON c.to_idx = f.form AND c.account = $2 AND c.category = $3
            WHERE $5
        ) AS said
        ORDER BY to_idx, at DESC, id DESC
    ) AS latest
    WHERE granted
), judged AS MATERIALIZED (
    SELECT c.id AS contact, n.to_idx,
        CASE
            WHEN c.tags && $4::integer[] THEN 'excluded'
            WHEN n.to_idx IS NULL THEN 'no_number'
            WHEN s.to_idx IS NOT NULL THEN 'suppressed'
            WHEN o.contact IS NOT NULL THEN 'other_number'
            WHEN $5 AND g.to_idx IS NULL THEN 'no_consent'
            WHEN u.contact IS NOT NULL THEN 'unresponsive'
        END AS reason
    FROM planned_audience AS a
    JOIN contact AS c ON c.id = a.contact
    LEFT JOIN contact_number AS n ON n.contact = c.id AND n.account = $2 AND n.rank = 0
    LEFT JOIN suppressed AS s ON s.to_idx = n.to_idx
    LEFT JOIN said_no_elsewhere AS o ON o.contact = c.id
    LEFT JOIN consenting AS g ON g.to_idx = n.to_idx
    LEFT JOIN planned_unresponsive AS u ON u.contact = c.id
), going AS (
    SELECT DISTINCT ON (to_idx) contact, to_idx FROM judged WHERE reason IS NULL ORDER BY to_idx, contact
), ordered AS MATERIALIZED (
    SELECT contact, to_idx, experiment_arm(contact, $12, $6::integer[], $7, $14, $15) AS arm,
        row_number() OVER (ORDER BY tested DESC, hashint8extended(contact, $1), contact) - 1 AS seq,
        count(*) OVER () AS planned, count(*) FILTER (WHERE tested) OVER () AS tested
    FROM (
        SELECT *, CASE WHEN $16::integer >= 10000 THEN true ELSE experiment_bucket($12 || '|test', contact) < $16 END AS tested
        FROM going
    ) AS asked
), told_apart AS (
    SELECT contact, bit_or(bits) AS segments FROM planned_segment GROUP BY contact
), canaried AS (
    SELECT *, CASE WHEN $8::float8 > 0 THEN least(planned, $10, greatest($9, ceil(planned * $8::float8)))::bigint ELSE 0 END AS canary
    FROM ordered
), sized AS (
    SELECT *, greatest(tested, canary) AS test_end FROM canaried
), stored AS (
    INSERT INTO campaign_recipient (campaign, seq, contact, to_idx, arm, slot, segments)
    SELECT $1, seq, contact, to_idx, arm,
        CASE
            WHEN seq < canary THEN 0
            WHEN seq < test_end THEN (seq - canary) * $11::bigint / (test_end - canary)
            ELSE (seq - test_end) * $11::bigint / (planned - test_end)
        END,
        coalesce(segments, 0)
    FROM sized
    LEFT JOIN told_apart USING (contact)
    ORDER BY seq
    RETURNING seq, arm, segments
), test AS (
    SELECT max(test_end) AS test_end FROM sized
), left_out AS (
    INSERT INTO campaign_excluded (campaign, contact, reason)
    SELECT $1, contact, reason FROM judged WHERE reason IS NOT NULL
    UNION ALL
    SELECT $1, j.contact, 'same_number' FROM judged AS j
    WHERE j.reason IS NULL AND NOT EXISTS (SELECT FROM going AS g WHERE g.contact = j.contact)
    RETURNING reason
)
SELECT 'arm' AS kind, arm::text AS name, count(*) AS people FROM stored GROUP BY arm
UNION ALL
SELECT 'test', arm::text, count(*) FROM stored WHERE seq < (SELECT test_end FROM test) GROUP BY arm
UNION ALL
SELECT 'test_end', '', coalesce(test_end, 0) FROM test
UNION ALL
SELECT 'segments', segments::text, count(*) FROM stored WHERE arm >= 0 AND segments > 0 GROUP BY segments
UNION ALL
SELECT 'excluded', reason, count(*) FROM left_out GROUP BY reason;

-- name: plan_made
UPDATE campaign
SET planned_at = $2, planned = $3, canary = $4, counts = $5, test_end = $6, revision = revision + 1
WHERE id = $1;
