-- name: frequency_read
SELECT f.account, f.category, f.to_idx, f.message_ids, f.sent_at
FROM unnest($1::smallint[], $2::smallint[], $3::bytea[]) AS asked (account, category, to_idx)
JOIN frequency AS f USING (account, category, to_idx);

-- name: frequency_lock
-- Each row made if it is not there, and ours until the transaction ends. In the order given: two who lock the same
-- numbers never wait for each other.
INSERT INTO frequency AS f (account, category, to_idx)
SELECT account, category, to_idx
FROM unnest($1::smallint[], $2::smallint[], $3::bytea[]) AS asked (account, category, to_idx)
ON CONFLICT (account, category, to_idx) DO UPDATE SET account = f.account
RETURNING f.account, f.category, f.to_idx, f.message_ids, f.sent_at;

-- name: frequency_write
UPDATE frequency AS f
SET message_ids = new.message_ids, sent_at = new.sent_at
FROM (
    SELECT account, category, to_idx,
           array_agg(message_id ORDER BY sent_at, message_id) AS message_ids,
           array_agg(sent_at ORDER BY sent_at, message_id) AS sent_at
    FROM unnest($1::smallint[], $2::smallint[], $3::bytea[], $4::bigint[], $5::bigint[])
        AS sent (account, category, to_idx, message_id, sent_at)
    GROUP BY account, category, to_idx
) AS new
WHERE f.account = new.account AND f.category = new.category AND f.to_idx = new.to_idx;

-- name: frequency_page
-- In the order of the key, behind one. The number is that of the last or the first message, whichever is still stored;
-- two ids, so that only their partitions are looked into.
SELECT f.account, f.category, f.to_idx, cardinality(f.message_ids) > 0 AS counted, last.to_enc
FROM frequency AS f
LEFT JOIN LATERAL (
    SELECT m.to_enc
    FROM message AS m
    WHERE m.id = ANY(ARRAY[f.message_ids[cardinality(f.message_ids)], f.message_ids[1]])
    LIMIT 1
) AS last ON true
WHERE (f.account, f.category, f.to_idx) > ($1::smallint, $2::smallint, $3::bytea)
ORDER BY f.account, f.category, f.to_idx
LIMIT $4;

-- name: frequency_delete
DELETE FROM frequency AS f
USING unnest($1::smallint[], $2::smallint[], $3::bytea[]) AS gone (account, category, to_idx)
WHERE f.account = gone.account AND f.category = gone.category AND f.to_idx = gone.to_idx;

-- name: never_sent
-- Of these messages those that ended without a submit_sm that a carrier took or may have taken. Nothing waits, and
-- every result is one of part 0 or a refusal. What is in doubt, or was given up in doubt ($5), is none: it may have
-- been sent. `since` is an id a little before the message was counted.
SELECT asked.id
FROM unnest($1::bigint[], $2::bigint[]) AS asked (id, since)
WHERE NOT EXISTS (SELECT FROM outbox AS o WHERE o.id = asked.id)
  AND (
      SELECT bool_and(
          (s.part = 0 AND s.status <> ALL($5::smallint[]))
          OR (s.carrier_id IS NULL AND s.receipt_at IS NULL AND s.status = ANY($3::smallint[])
              AND s.error IS DISTINCT FROM $4)
      )
      FROM submission AS s
      WHERE s.message_id = asked.id AND s.id >= asked.since
  );

-- name: not_stored
-- Of these messages those that are not there: their flush was taken back.
SELECT asked.id
FROM unnest($1::bigint[]) AS asked (id)
WHERE NOT EXISTS (SELECT FROM message AS m WHERE m.id = asked.id);

-- name: frequency_purge
DELETE FROM frequency
WHERE ctid IN (
    SELECT ctid FROM frequency
    WHERE coalesce(sent_at[cardinality(sent_at)], 0) < $1
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);

-- name: prefix_read
SELECT account, prefix, slots, counts
FROM unnest($1::smallint[], $2::text[]) AS asked (account, prefix)
JOIN prefix_count AS p USING (account, prefix);

-- name: prefix_lock
-- As frequency_lock.
INSERT INTO prefix_count AS p (account, prefix)
SELECT account, prefix FROM unnest($1::smallint[], $2::text[]) AS asked (account, prefix)
ON CONFLICT (account, prefix) DO UPDATE SET account = p.account
RETURNING p.account, p.prefix, p.slots, p.counts;

-- name: prefix_write
UPDATE prefix_count AS p
SET slots = new.slots, counts = new.counts
FROM (
    SELECT account, prefix, array_agg(slot ORDER BY slot) AS slots, array_agg(count ORDER BY slot) AS counts
    FROM unnest($1::smallint[], $2::text[], $3::bigint[], $4::integer[]) AS counted (account, prefix, slot, count)
    GROUP BY account, prefix
) AS new
WHERE p.account = new.account AND p.prefix = new.prefix;

-- name: prefix_purge
DELETE FROM prefix_count
WHERE ctid IN (
    SELECT ctid FROM prefix_count
    WHERE coalesce(slots[cardinality(slots)], 0) < $1
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);
