-- name: rollup_recount_lock
-- No day of these is dropped from here to the end of the transaction. It comes before the transaction's snapshot.
LOCK TABLE message, submission IN ACCESS SHARE MODE;

-- name: rollup_day_whole
-- Whether the messages of a day ($2) and their results are all still there: the leaves $1. And whether its quarters
-- are: those that are not kept any more would be added to their day once more.
SELECT count(*) = cardinality($1::text[])
       AND (
           NOT EXISTS (SELECT FROM rollup_day WHERE day = $2)
           OR EXISTS (SELECT FROM rollup_cell WHERE quarter >= $2 * 96 AND quarter < ($2 + 1) * 96)
       )
FROM pg_inherits AS i
JOIN pg_class AS leaf ON leaf.oid = i.inhrelid
WHERE i.inhparent IN ('message'::regclass, 'submission'::regclass) AND NOT i.inhdetachpending
  AND leaf.relname = ANY($1::text[]);

-- name: rollup_work_clear
TRUNCATE rollup_folded, rollup_grouped, rollup_placed, rollup_coded, rollup_tagged;

-- name: rollup_latency_day_again
-- The histograms of a day from those of its quarters. A release that knows no days may have merged meanwhile. Answers
-- with the rows that differed.
WITH each AS (
    SELECT account, category, connector, kind, unnest(buckets) AS bucket, unnest(counts) AS count
    FROM rollup_latency
    WHERE quarter >= $1::integer * 96 AND quarter < ($1 + 1) * 96
), summed AS (
    SELECT account, category, connector, kind, bucket, sum(count)::integer AS count
    FROM each
    GROUP BY account, category, connector, kind, bucket
), packed AS (
    SELECT account, category, connector, kind, array_agg(bucket ORDER BY bucket) AS buckets,
           array_agg(count ORDER BY bucket) AS counts
    FROM summed
    GROUP BY account, category, connector, kind
), changed AS (
    INSERT INTO rollup_latency_day AS d (day, account, category, connector, kind, buckets, counts)
    SELECT $1, account, category, connector, kind, buckets, counts FROM packed
    ON CONFLICT (day, account, category, connector, kind)
        DO UPDATE SET buckets = excluded.buckets, counts = excluded.counts
        WHERE (d.buckets, d.counts) <> (excluded.buckets, excluded.counts)
    RETURNING day
)
SELECT count(*) FROM changed;

-- name: rollup_recounted
INSERT INTO rollup_day_state AS s (day, recounted_at, closed)
VALUES ($1, now(), $2)
ON CONFLICT (day) DO UPDATE SET recounted_at = now(), dirty_since = NULL, closed = s.closed OR $2;

-- name: rollup_day_lost
-- Messages or quarters of it are dropped: what is counted stays as it is.
INSERT INTO rollup_day_state (day, closed)
VALUES ($1, true)
ON CONFLICT (day) DO UPDATE SET closed = true, dirty_since = NULL;

-- name: rollup_days_dirty
-- Days in doubt, the oldest doubt first. $1: not those that were counted anew so lately.
SELECT day
FROM rollup_day_state
WHERE dirty_since IS NOT NULL AND (recounted_at IS NULL OR recounted_at < now() - $1::interval)
ORDER BY dirty_since
LIMIT 1;

-- name: rollup_days_closed
SELECT day FROM rollup_day_state WHERE closed AND day = ANY($1::integer[]);

-- name: rollup_day_by_chance
-- A closed day before $2 out of $1.
SELECT day FROM rollup_day_state WHERE closed AND day = ANY($1::integer[]) AND day < $2 ORDER BY random() LIMIT 1;

-- name: rollup_days_final
-- Closed days of which nothing is watched any more. $1: ms of the ids' epoch.
UPDATE rollup_day_state AS s
SET final = true
WHERE closed AND NOT final
  AND NOT EXISTS (
      SELECT FROM rollup_watch AS w
      WHERE w.message_id >= (s.day::bigint * 86400000 - $1) << 22
        AND w.message_id < ((s.day + 1)::bigint * 86400000 - $1) << 22
  );

-- name: rollup_leaves
SELECT leaf.relname AS leaf
FROM pg_inherits AS i
JOIN pg_class AS leaf ON leaf.oid = i.inhrelid
WHERE i.inhparent = 'message'::regclass AND NOT i.inhdetachpending
ORDER BY leaf.relname;

-- name: rollup_cells_purge
DELETE FROM rollup_cell
WHERE (quarter, key) IN (
    SELECT quarter, key FROM rollup_cell WHERE quarter < extract(epoch FROM $1::timestamptz) / 900 LIMIT $2
);

-- name: rollup_reasons_purge
DELETE FROM rollup_reason
WHERE (quarter, key, status, reason, code) IN (
    SELECT quarter, key, status, reason, code
    FROM rollup_reason
    WHERE quarter < extract(epoch FROM $1::timestamptz) / 900
    LIMIT $2
);

-- name: rollup_latencies_purge
DELETE FROM rollup_latency
WHERE (quarter, account, category, connector, kind) IN (
    SELECT quarter, account, category, connector, kind
    FROM rollup_latency
    WHERE quarter < extract(epoch FROM $1::timestamptz) / 900
    LIMIT $2
);

-- name: rollup_latency_days_purge
DELETE FROM rollup_latency_day
WHERE (day, account, category, connector, kind) IN (
    SELECT day, account, category, connector, kind
    FROM rollup_latency_day
    WHERE day < extract(epoch FROM $1::timestamptz) / 86400
    LIMIT $2
);

-- name: rollup_attempts_purge
DELETE FROM rollup_attempt
WHERE (quarter, account, category, connector) IN (
    SELECT quarter, account, category, connector
    FROM rollup_attempt
    WHERE quarter < extract(epoch FROM $1::timestamptz) / 900
    LIMIT $2
);

-- name: rollup_tags_purge
DELETE FROM rollup_tag
WHERE (quarter, account, category, tag) IN (
    SELECT quarter, account, category, tag
    FROM rollup_tag
    WHERE quarter < extract(epoch FROM $1::timestamptz) / 900
    LIMIT $2
);

-- name: rollup_days_purge
DELETE FROM rollup_day
WHERE (day, key) IN (
    SELECT day, key FROM rollup_day WHERE day < extract(epoch FROM $1::timestamptz) / 86400 LIMIT $2
);

-- name: rollup_day_states_purge
DELETE FROM rollup_day_state
WHERE day IN (
    SELECT day FROM rollup_day_state WHERE day < extract(epoch FROM $1::timestamptz) / 86400 LIMIT $2
);
