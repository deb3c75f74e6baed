-- name: webhook_due
SELECT asked.endpoint
FROM unnest($1::bigint[]) AS asked (endpoint)
WHERE EXISTS (
        SELECT FROM webhook_delivery AS d
        WHERE d.endpoint = asked.endpoint AND d.owner = 0 AND NOT d.replayed AND d.next_at <= $2
    ) OR EXISTS (
        SELECT FROM webhook_delivery AS d
        WHERE d.endpoint = asked.endpoint AND d.owner = 0 AND d.replayed AND d.next_at <= $2
    );

-- name: webhook_claim
-- Fresh ones first, then what is replayed. What is claimed stands fast: whoever claims it next tells the same.
WITH fresh AS (
    SELECT id, frozen FROM webhook_delivery
    WHERE endpoint = $1 AND owner = 0 AND NOT replayed AND next_at <= $2
    ORDER BY next_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), again AS (
    SELECT id, frozen FROM webhook_delivery
    WHERE endpoint = $1 AND owner = 0 AND replayed AND next_at <= $2
    ORDER BY next_at
    LIMIT greatest($3 - (SELECT count(*) FROM fresh), 0)
    FOR UPDATE SKIP LOCKED
)
UPDATE webhook_delivery AS d
SET owner = $4, frozen = true, full_numbers = CASE WHEN picked.frozen THEN d.full_numbers ELSE $5 END
FROM (SELECT * FROM fresh UNION ALL SELECT * FROM again) AS picked
WHERE d.id = picked.id
RETURNING d.id, d.endpoint, d.event_ids, d.url, d.attempt, d.full_numbers, d.replayed, d.next_at,
    picked.frozen AS was_frozen;

-- name: webhook_claim_ordered
-- As webhook_claim, but of each subject nothing before what was told of it earlier has ended.
WITH fresh AS (
    SELECT id, frozen FROM webhook_delivery AS d
    WHERE d.endpoint = $1 AND d.owner = 0 AND d.next_at <= $2 AND (
        d.subject IS NULL OR NOT EXISTS (
            SELECT FROM webhook_delivery AS e
            WHERE e.endpoint = d.endpoint AND e.subject = d.subject AND e.id < d.id
        )
    )
    ORDER BY d.replayed, d.next_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE webhook_delivery AS d
SET owner = $4, frozen = true, full_numbers = CASE WHEN picked.frozen THEN d.full_numbers ELSE $5 END
FROM fresh AS picked
WHERE d.id = picked.id
RETURNING d.id, d.endpoint, d.event_ids, d.url, d.attempt, d.full_numbers, d.replayed, d.next_at,
    picked.frozen AS was_frozen;

-- name: webhook_join
UPDATE webhook_delivery AS d
SET event_ids = ARRAY(SELECT each::bigint FROM jsonb_array_elements_text(joined.event_ids::jsonb) AS each)
FROM unnest($1::bigint[], $2::text[]) AS joined (id, event_ids)
WHERE d.id = joined.id;

-- name: webhook_deliveries_end
DELETE FROM webhook_delivery WHERE id = ANY((SELECT $1::text::bigint[])::bigint[]) AND owner = $2;

-- name: webhook_put_off
UPDATE webhook_delivery AS d SET owner = 0, attempt = later.attempt, next_at = later.next_at
FROM unnest($1::bigint[], $2::smallint[], $3::timestamptz[]) AS later (id, attempt, next_at)
WHERE d.id = later.id AND d.owner = $4;

-- name: webhook_give_back
UPDATE webhook_delivery SET owner = 0 WHERE id = ANY($1::bigint[]) AND owner = $2;

-- name: webhook_take_over
UPDATE webhook_delivery SET owner = 0
WHERE owner <> 0 AND owner IN (SELECT term FROM owner_term WHERE ended_at IS NOT NULL);

-- name: webhook_due_after_all
-- What waits longer than it may, since a clock was set back, is due. $2: the longest wait after each attempt, from the
-- first on; $3: of a replay.
UPDATE webhook_delivery AS d SET next_at = $1
WHERE d.id IN (
    SELECT w.id
    FROM webhook_delivery AS w
    JOIN webhook_endpoint AS e ON e.id = w.endpoint
    WHERE w.owner = 0 AND w.next_at > $1::timestamptz + CASE
            WHEN w.attempt > 0 THEN ($2::interval[])[w.attempt]
            WHEN w.replayed THEN $3::interval
            ELSE e.batch_wait_ms * interval '1 millisecond'
        END
    LIMIT $4
    FOR UPDATE OF w SKIP LOCKED
);

-- name: webhook_backlogs
SELECT endpoint, sum(cardinality(event_ids))::bigint AS events, min(id) AS oldest
FROM webhook_delivery
GROUP BY endpoint;

-- name: webhook_skip
DELETE FROM webhook_delivery
WHERE id IN (
    SELECT id FROM webhook_delivery
    WHERE endpoint = $1 AND owner = 0 AND ($2::bigint IS NULL OR id < $2)
    ORDER BY id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
RETURNING event_ids, url;

-- name: webhook_drop_deleted
DELETE FROM webhook_delivery
WHERE id IN (
    SELECT d.id
    FROM webhook_endpoint AS e JOIN webhook_delivery AS d ON d.endpoint = e.id
    WHERE e.deleted_at IS NOT NULL AND d.owner = 0
    LIMIT $1
    FOR UPDATE OF d SKIP LOCKED
);
