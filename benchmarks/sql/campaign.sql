-- What the benchmark of campaigns asks the gateway's own tables.

-- name: campaign_books
-- Of campaigns: their names, who was planned, and how many of their messages went to the carrier. $2: their ids in texts.
SELECT v.spec ->> 'name' AS name, asked.label, c.planned,
       (SELECT count(DISTINCT s.message_id)
        FROM message AS m
        JOIN submission AS s ON s.message_id = m.id AND s.part > 0
        WHERE m.campaign_id = asked.label) AS submitted
FROM unnest($1::bigint[], $2::text[]) AS asked (id, label)
JOIN campaign AS c ON c.id = asked.id
JOIN campaign_version AS v ON v.campaign = c.id AND v.version = 1;
