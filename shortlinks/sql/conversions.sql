-- name: conversions_stored
SELECT id, reference, fingerprint, event, value_micros, currency, occurred_at, message_id, slot, click_id, campaign, arm
FROM conversion
WHERE account = $1 AND reference = ANY($2::text[]);

-- name: conversion_clicks
-- Which message each of these clicks was on, or whose link of its own. The bounds keep it to the days of the clicks.
SELECT c.id, c.message_id, l.account AS link_account
FROM click AS c
LEFT JOIN link AS l ON l.id = c.link_id
WHERE c.id = ANY($1::bigint[]) AND c.id >= $2 AND c.id <= $3;

-- name: conversion_own_clicks
-- Those of these clicks that are a person's ($4) and inside their window: [since, until) as ids.
SELECT c.id
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS asked (id, since_id, until_id)
JOIN click AS c ON c.id = asked.id
WHERE c.class = $4 AND c.id >= asked.since_id AND c.id < asked.until_id;

-- name: account_of_click
SELECT coalesce(m.account, l.account)
FROM click AS c
LEFT JOIN message AS m ON m.id = c.message_id
LEFT JOIN link AS l ON l.id = c.link_id
WHERE c.id = $1;

-- name: conversion_links
-- The message that each link number belongs to.
SELECT asked.seq, r.message_ids[asked.seq - r.first_seq + 1] AS message_id
FROM unnest($1::bigint[]) AS asked (seq)
CROSS JOIN LATERAL (
    SELECT first_seq, message_ids FROM link_range WHERE first_seq <= asked.seq ORDER BY first_seq DESC LIMIT 1
) AS r
WHERE asked.seq < r.first_seq + cardinality(r.message_ids);

-- name: conversion_messages
-- Those of these messages that are the account's, with their labels.
SELECT id, campaign_id, variant FROM message WHERE id = ANY($1::bigint[]) AND id >= $2 AND id <= $3 AND account = $4;

-- name: conversion_attributed
-- The last click of a person ($5), or with $6 the first, on each message inside its window: [since, until) as ids. Of one
-- link where it was named.
SELECT asked.place, c.id, c.slot
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
    AS asked (message_id, slot, since_id, until_id, place)
CROSS JOIN LATERAL (
    SELECT id, slot
    FROM click
    WHERE message_id = asked.message_id AND id >= asked.since_id AND id < asked.until_id AND class = $5
      AND (asked.slot IS NULL OR click.slot = asked.slot)
    ORDER BY CASE WHEN $6::boolean THEN id ELSE -id END
    LIMIT 1
) AS c;

-- name: conversions_add
-- What another process has stored under one of these ids meanwhile stays.
INSERT INTO conversion
    (id, account, reference, fingerprint, event, value_micros, currency, occurred_at, message_id, slot, click_id, campaign,
     arm)
SELECT id, $1, reference, fingerprint, event, value_micros, currency, occurred_at, message_id, slot, click_id, campaign, arm
FROM unnest(
    $2::bigint[], $3::text[], $4::bytea[], $5::text[], $6::bigint[], $7::text[], $8::timestamptz[], $9::bigint[],
    $10::smallint[], $11::bigint[], $12::text[], $13::text[]
) AS new (
    id, reference, fingerprint, event, value_micros, currency, occurred_at, message_id, slot, click_id, campaign, arm
)
ORDER BY reference
ON CONFLICT (account, reference) DO NOTHING
RETURNING id;

-- name: conversions_purge
DELETE FROM conversion
WHERE id IN (SELECT id FROM conversion WHERE id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
