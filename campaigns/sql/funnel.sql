-- name: click_counts
-- Clicks on the messages with $1 <= id < $2, grouped by the keys whose flag is true. Recipients are counted by their
-- number's index: one who got two messages of a group is one. `delivered`: the message is delivered as dlr's report has
-- it, so that what is divided by delivered messages is a part of them. $3: the class of clicks by people. A conversion
-- without a click of a person is counted apart, and makes nobody a converted recipient.
WITH clicked AS MATERIALIZED (
    SELECT c.message_id,
           count(*) AS clicks,
           count(*) FILTER (WHERE c.class = $3) AS human_clicks
    FROM click AS c
    WHERE c.id >= $1 AND c.message_id >= $1 AND c.message_id < $2
    GROUP BY c.message_id
), converted AS MATERIALIZED (
    SELECT message_id, count(*) FILTER (WHERE click_id IS NOT NULL) AS conversions,
           count(*) FILTER (WHERE click_id IS NULL) AS without_click
    FROM conversion
    WHERE message_id >= $1 AND message_id < $2 AND event <> 'visit'
    GROUP BY message_id
), touched AS (
    SELECT message_id, coalesce(clicks, 0) AS clicks, coalesce(human_clicks, 0) AS human_clicks,
           coalesce(conversions, 0) AS conversions, coalesce(without_click, 0) AS without_click
    FROM clicked FULL JOIN converted USING (message_id)
), parts AS (
    -- Each partition once: asked message by message, every message asked each day of the span.
    SELECT s.message_id,
           count(DISTINCT s.part) FILTER (WHERE s.part > 0 AND s.status = 60)
               = max(s.parts) FILTER (WHERE s.part > 0)
           AND NOT bool_or(s.part = 0) AS delivered
    FROM submission AS s
    WHERE s.id >= $1 AND NOT s.replaced AND s.message_id IN (SELECT message_id FROM clicked WHERE human_clicks > 0)
    GROUP BY s.message_id
), labelled AS (
    SELECT m.account, m.category, m.campaign_id, m.variant, m.to_idx, touched.clicks, touched.human_clicks,
           touched.conversions, touched.without_click, touched.human_clicks > 0 AND coalesce(parts.delivered, false)
           AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.id = m.id) AS delivered
    FROM touched
    JOIN message AS m ON m.id = touched.message_id
    LEFT JOIN parts ON parts.message_id = m.id
    WHERE m.id >= $1 AND m.id < $2 AND m.connector <> -1  -- the sandbox
      AND ($4::smallint IS NULL OR m.account = $4)
)
SELECT CASE WHEN $5::boolean THEN account END AS account,
       CASE WHEN $6::boolean THEN category END AS category,
       CASE WHEN $7::boolean THEN campaign_id END AS campaign,
       CASE WHEN $8::boolean THEN variant END AS variant,
       sum(clicks)::bigint AS clicks,
       sum(human_clicks)::bigint AS human_clicks,
       coalesce(sum(human_clicks) FILTER (WHERE delivered), 0)::bigint AS human_clicks_delivered,
       count(DISTINCT to_idx) FILTER (WHERE human_clicks > 0) AS clicked_recipients,
       count(DISTINCT to_idx) FILTER (WHERE delivered) AS clicked_recipients_delivered,
       sum(conversions)::bigint AS conversions,
       sum(without_click)::bigint AS conversions_without_click,
       count(DISTINCT to_idx) FILTER (WHERE human_clicks > 0 AND conversions > 0) AS converted_recipients,
       count(DISTINCT to_idx) FILTER (WHERE delivered AND conversions > 0) AS converted_recipients_delivered
FROM labelled
GROUP BY 1, 2, 3, 4;
