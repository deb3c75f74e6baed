-- name: link_counts
-- Clicks on a link from $2 to $3, by class. A visitor of a link that everybody has is a network with a browser.
SELECT class, count(*) AS clicks, count(DISTINCT (ip_prefix, user_agent)) AS visitors, min(id) AS first, max(id) AS last
FROM click WHERE link_id = $1 AND id >= $2 AND id < $3
GROUP BY class

-- name: link_spans
-- The same, by span of time: $4 milliseconds, counted from the epoch of ids.
SELECT (id >> 22) / $4 AS span, count(*) AS clicks, count(*) FILTER (WHERE class = $5) AS human_clicks
FROM click WHERE link_id = $1 AND id >= $2 AND id < $3
GROUP BY 1
ORDER BY 1
