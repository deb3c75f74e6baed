-- name: click_figures
-- What the clicks on the messages of an account ($3) with $1 <= id < $2 amount to. $6 to $15 are the last arguments of
-- message_places(): by which keys, and more. $4: the class of clicks by people. Those until $5 milliseconds after the
-- message was accepted count, and what they led to. $16: the event of a landing page. At most $17 groups.
-- `delivered` is as dlr's report has it. A conversion whose click is no person's (any more) is one without a click.
WITH folded AS (
    SELECT s.message_id,
           count(DISTINCT s.part) FILTER (WHERE s.part > 0 AND s.status = 60)
               = max(s.parts) FILTER (WHERE s.part > 0)
           AND NOT bool_or(s.part = 0) AS delivered,
           max(s.receipt_at) FILTER (WHERE s.status = 60) AS delivered_at
    FROM submission AS s
    WHERE s.id >= $1 AND s.message_id >= $1 AND s.message_id < $2 AND NOT s.replaced
    GROUP BY s.message_id
), landed AS (
    SELECT DISTINCT click_id FROM conversion
    WHERE message_id >= $1 AND message_id < $2 AND event = $16 AND click_id IS NOT NULL
), clicked AS (
    SELECT c.message_id, CASE WHEN $11::boolean THEN c.slot ELSE -1 END AS slot, count(*) AS clicks,
           count(*) FILTER (WHERE c.class = $4) AS human_clicks,
           count(l.click_id) FILTER (WHERE c.class = $4) AS landed,
           min(c.id) FILTER (WHERE c.class = $4) AS first_id
    FROM click AS c
    LEFT JOIN landed AS l ON l.click_id = c.id
    WHERE c.id >= $1 AND c.message_id >= $1 AND c.message_id < $2 AND (c.id >> 22) - (c.message_id >> 22) < $5::bigint
    GROUP BY 1, 2
), converted AS (
    SELECT v.message_id, CASE WHEN $11::boolean THEN coalesce(v.slot, -1) ELSE -1 END AS slot,
           count(*) FILTER (WHERE (c.id >> 22) - (c.message_id >> 22) < $5::bigint) AS conversions,
           count(*) FILTER (WHERE c.id IS NULL) AS without_click
    FROM conversion AS v
    LEFT JOIN click AS c ON c.id = v.click_id AND c.id >= $1 AND c.class = $4
    WHERE v.message_id >= $1 AND v.message_id < $2 AND v.event <> $16
    GROUP BY 1, 2
), labelled AS (
    SELECT p.*, coalesce(f.delivered AND o.id IS NULL, false) AS delivered,
           coalesce(c.clicks, 0) AS clicks, coalesce(c.human_clicks, 0) AS human_clicks, coalesce(c.landed, 0) AS landed,
           coalesce(v.conversions, 0) AS conversions, coalesce(v.without_click, 0) AS without_click,
           CASE WHEN f.delivered AND o.id IS NULL AND c.first_id > 0 AND f.delivered_at IS NOT NULL THEN greatest(
               0, (c.first_id >> 22) / 1000.0 + $14::bigint - extract(epoch FROM f.delivered_at)
           )::float8 END AS first_seconds
    FROM message_places($1, $2, $3, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS p
    LEFT JOIN folded AS f ON f.message_id = p.id
    LEFT JOIN outbox AS o ON o.id = p.id
    LEFT JOIN clicked AS c ON c.message_id = p.id AND c.slot = p.slot
    LEFT JOIN converted AS v ON v.message_id = p.id AND v.slot = p.slot
)
SELECT category, campaign, variant, batch, message, link, unit,
       count(*) AS messages,
       count(*) FILTER (WHERE delivered) AS delivered,
       sum(clicks)::bigint AS clicks,
       sum(human_clicks)::bigint AS human_clicks,
       coalesce(sum(human_clicks) FILTER (WHERE delivered), 0)::bigint AS human_clicks_delivered,
       count(DISTINCT to_idx) FILTER (WHERE human_clicks > 0) AS uv,
       count(DISTINCT to_idx) FILTER (WHERE human_clicks > 0 AND delivered) AS clicked_recipients_delivered,
       sum(landed)::bigint AS landed_clicks,
       count(DISTINCT to_idx) FILTER (WHERE landed > 0) AS visitors,
       sum(conversions)::bigint AS conversions,
       sum(without_click)::bigint AS conversions_without_click,
       count(DISTINCT to_idx) FILTER (WHERE human_clicks > 0 AND conversions > 0) AS converted_recipients,
       count(DISTINCT to_idx) FILTER (WHERE human_clicks > 0 AND conversions > 0 AND delivered)
           AS converted_recipients_delivered,
       count(DISTINCT to_idx) FILTER (WHERE landed > 0 AND conversions > 0) AS converted_visitors,
       count(first_seconds) AS first_clicks,
       percentile_disc(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY first_seconds) AS first_seconds
FROM labelled
GROUP BY 1, 2, 3, 4, 5, 6, 7
LIMIT $17;

-- name: click_hours
-- Clicks of people by full hours since their message was accepted, by the same keys. Clocks differ: none is negative.
SELECT category, campaign, variant, batch, message, link, unit,
       greatest(0, (c.id >> 22) - (c.message_id >> 22)) / 3600000 AS hour, count(*) AS clicks
FROM click AS c
JOIN message_places($1, $2, $3, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS p
    ON p.id = c.message_id AND p.slot = CASE WHEN $11::boolean THEN c.slot ELSE -1 END
WHERE c.id >= $1 AND c.message_id >= $1 AND c.message_id < $2 AND c.class = $4
  AND (c.id >> 22) - (c.message_id >> 22) < $5::bigint
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;

-- name: click_revenue
-- What conversions with a click are worth, by currency and the same keys.
SELECT category, p.campaign, variant, batch, message, link, unit, v.currency, sum(v.value_micros) AS micros
FROM conversion AS v
JOIN click AS c ON c.id = v.click_id AND c.class = $4
JOIN message_places($1, $2, $3, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS p
    ON p.id = v.message_id AND p.slot = CASE WHEN $11::boolean THEN v.slot ELSE -1 END
WHERE v.message_id >= $1 AND v.message_id < $2 AND v.value_micros IS NOT NULL AND v.event <> $16
  AND c.id >= $1 AND (c.id >> 22) - (c.message_id >> 22) < $5::bigint
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8;

-- name: click_steps
-- How many people did these things ($16) after a click, by the same keys and by what they did, at most $17 rows. `did`: the
-- events of one person, the earliest first, at most $18.
WITH person AS (
    SELECT category, p.campaign, variant, batch, message, link, unit, p.to_idx,
           (array_agg(v.event ORDER BY v.occurred_at, v.id))[1 : $18::integer] AS did
    FROM conversion AS v
    JOIN click AS c ON c.id = v.click_id AND c.class = $4
    JOIN message_places($1, $2, $3, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS p
        ON p.id = v.message_id AND p.slot = CASE WHEN $11::boolean THEN v.slot ELSE -1 END
    WHERE v.message_id >= $1 AND v.message_id < $2 AND v.event = ANY ($16::text[])
      AND c.id >= $1 AND (c.id >> 22) - (c.message_id >> 22) < $5::bigint
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
)
SELECT category, campaign, variant, batch, message, link, unit, did, count(*) AS people
FROM person
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
LIMIT $17;
