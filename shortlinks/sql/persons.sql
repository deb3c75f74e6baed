-- name: person_clicks
SELECT c.*
FROM unnest($1::bytea[]) AS whose (idx)
JOIN message AS m ON m.to_idx = whose.idx
JOIN click AS c ON c.message_id = m.id
WHERE $2::smallint[] IS NULL OR m.account = ANY($2)
ORDER BY c.id;

-- name: person_conversions
SELECT c.*
FROM unnest($1::bytea[]) AS whose (idx)
JOIN message AS m ON m.to_idx = whose.idx
JOIN conversion AS c ON c.message_id = m.id
WHERE $2::smallint[] IS NULL OR m.account = ANY($2)
ORDER BY c.id;

-- name: person_clicks_erase
-- A click goes on to count.
WITH found AS (
    SELECT c.id
    FROM unnest($1::bytea[]) AS whose (idx)
    JOIN message AS m ON m.to_idx = whose.idx
    JOIN click AS c ON c.message_id = m.id
    WHERE ($2::smallint[] IS NULL OR m.account = ANY($2)) AND m.id < $3 AND (c.user_agent <> '' OR c.ip_prefix <> '')
    LIMIT $4
), changed AS (
    UPDATE click AS c SET user_agent = '', ip_prefix = '', agent = coalesce(agent, agent_in_force(c.class, c.reasons))
    FROM found WHERE c.id = found.id RETURNING c.id
)
SELECT count(*) FROM changed;
