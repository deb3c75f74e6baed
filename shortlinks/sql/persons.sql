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
    WHERE ($2::smallint[] IS NULL OR m.account = ANY($2)) AND m.id < $3
      AND (c.user_agent <> '' OR c.ip_prefix <> '' OR c.facts <> '{}')
    LIMIT $4
), changed AS (
    UPDATE click AS c SET user_agent = '', ip_prefix = '', facts = '{}',
        agent = coalesce(agent, agent_in_force(c.class, c.reasons))
    FROM found WHERE c.id = found.id RETURNING c.id
)
SELECT count(*) FROM changed;

-- name: person_links
-- Where the links of their messages lead. Ids of one range lie less than an hour apart.
SELECT m.id AS message_id, s.slot, r.targets[r.target_index[(u.k - 1) * r.slots + s.slot + 1]] AS target
FROM unnest($1::bytea[]) AS whose (idx)
JOIN message AS m ON m.to_idx = whose.idx
JOIN link_range AS r ON r.message_ids[1] > m.id - (3600000::bigint << 22)
    AND r.message_ids[1] < m.id + (3600000::bigint << 22)
CROSS JOIN LATERAL (SELECT array_position(r.message_ids, m.id) AS k) AS u
CROSS JOIN LATERAL generate_series(0, r.slots - 1) AS s (slot)
WHERE ($2::smallint[] IS NULL OR m.account = ANY($2))
  AND r.targets[r.target_index[(u.k - 1) * r.slots + s.slot + 1]] NOT IN ('', 'optout:')
ORDER BY m.id, s.slot;

-- name: person_links_erase
-- Addresses may hold values of a recipient. Those that nobody else's link leads to are emptied. The opt-out page stays.
WITH mine AS MATERIALIZED (
    SELECT r.first_seq, array_agg(array_position(r.message_ids, m.id)) AS places
    FROM unnest($1::bytea[]) AS whose (idx)
    JOIN message AS m ON m.to_idx = whose.idx
    JOIN link_range AS r ON r.message_ids[1] > m.id - (3600000::bigint << 22)
        AND r.message_ids[1] < m.id + (3600000::bigint << 22)
    WHERE ($2::smallint[] IS NULL OR m.account = ANY($2)) AND m.id < $3 AND m.id = ANY(r.message_ids)
    GROUP BY r.first_seq
), used AS (
    SELECT mine.first_seq, i.number, bool_and((i.at - 1) / r.slots + 1 = ANY(mine.places)) AS alone
    FROM mine
    JOIN link_range AS r USING (first_seq)
    CROSS JOIN LATERAL unnest(r.target_index) WITH ORDINALITY AS i (number, at)
    WHERE i.number > 0
    GROUP BY 1, 2
), emptied AS (
    SELECT r.first_seq, array_agg(
        CASE WHEN used.alone AND t.target <> 'optout:' THEN '' ELSE t.target END ORDER BY t.number
    ) AS targets
    FROM mine
    JOIN link_range AS r USING (first_seq)
    CROSS JOIN LATERAL unnest(r.targets) WITH ORDINALITY AS t (target, number)
    LEFT JOIN used ON used.first_seq = r.first_seq AND used.number = t.number
    GROUP BY r.first_seq
    HAVING bool_or(used.alone AND t.target NOT IN ('', 'optout:'))
    LIMIT $4
), changed AS (
    UPDATE link_range AS r SET targets = e.targets FROM emptied AS e WHERE r.first_seq = e.first_seq RETURNING 1
)
SELECT count(*) FROM changed;
