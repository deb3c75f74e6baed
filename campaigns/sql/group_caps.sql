-- name: group_caps_listed
-- All of an account, or one of them ($2).
SELECT g.id, t.name AS tag, s.name AS segment, g.day, g.week, g.month, g.version, g.changed_at, g.members_at, g.members,
    g.fault
FROM group_cap AS g
LEFT JOIN tag_def AS t ON t.id = g.tag
LEFT JOIN segment AS s ON s.id = g.segment
WHERE g.account = $1 AND ($2::bigint IS NULL OR g.id = $2)
ORDER BY g.id;

-- name: group_caps_turn
-- One change at a time of an account's caps.
SELECT FROM account WHERE id = $1 FOR NO KEY UPDATE;

-- name: group_cap_add
-- No row: there is one of this id, or for this group.
INSERT INTO group_cap (id, account, tag, segment, day, week, month) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: group_cap_change
UPDATE group_cap SET day = $2, week = $3, month = $4, version = version + 1, changed_at = clock_timestamp()
WHERE id = $1;

-- name: group_cap_delete
DELETE FROM group_cap WHERE id = $1;

-- name: group_cap_tag
SELECT id FROM tag_def WHERE account = $1 AND name = $2;

-- name: group_cap_segment
-- Nobody deletes it meanwhile.
SELECT id FROM segment WHERE account = $1 AND name = $2 FOR KEY SHARE;

-- name: segment_capped
SELECT EXISTS (SELECT FROM group_cap WHERE segment = $1);

-- name: group_cap_accounts
SELECT DISTINCT account FROM group_cap ORDER BY account;

-- name: caps_of_numbers
-- Of each number that is a contact's: the contact, and each group with caps that it is in; no group is one row with none.
SELECT asked.place, n.contact, coalesce(t.name, s.name) AS name, g.day, g.week, g.month
FROM unnest($1::smallint[], $2::bytea[]) WITH ORDINALITY AS asked (account, to_idx, place)
JOIN contact_number AS n ON n.account = asked.account AND n.to_idx = asked.to_idx
JOIN contact AS c ON c.id = n.contact
LEFT JOIN group_cap AS g ON g.account = asked.account
    AND (g.tag = ANY(c.tags) OR EXISTS (SELECT FROM group_cap_member AS m WHERE m.contact = c.id AND m.cap = g.id))
LEFT JOIN tag_def AS t ON t.id = g.tag
LEFT JOIN segment AS s ON s.id = g.segment
ORDER BY asked.place, g.id;

-- name: plan_engaged_table
CREATE TEMP TABLE planned_engaged (contact bigint NOT NULL, week integer NOT NULL, month integer NOT NULL) ON COMMIT DROP;

-- name: plan_engaged
SELECT contact, week, month FROM planned_engaged;

-- name: plan_capped
-- Of the recipients of a campaign who get a message: how many have had as many as some cap allows. $4: now in ms. $5: ms of
-- a day. $6 to $8: the account's caps of a day, a week, a month. $9: its gap in ms. $10: whether groups count. $11: wishes.
-- $12: whether engagement counts. Then who may have had as many as it allows is in planned_engaged: they got some, or $13
-- recalls at least.
WITH grouped AS MATERIALIZED (
    SELECT contact, min(day) AS day, min(week) AS week, min(month) AS month
    FROM (
        SELECT m.contact, g.day, g.week, g.month
        FROM group_cap AS g
        JOIN group_cap_member AS m ON m.cap = g.id
        WHERE $10 AND g.account = $2
        UNION ALL
        SELECT c.id, g.day, g.week, g.month
        FROM group_cap AS g
        JOIN contact AS c ON c.account = g.account AND c.tags @> ARRAY[g.tag]
        WHERE $10 AND g.account = $2 AND g.tag IS NOT NULL
    ) AS each_group
    GROUP BY contact
), asked AS MATERIALIZED (
    SELECT r.contact, r.to_idx, least($6::integer, g.day) AS day, least($7::integer, g.week) AS week,
        least($8::integer, g.month, w.month_max) AS month
    FROM campaign_recipient AS r
    LEFT JOIN grouped AS g ON g.contact = r.contact
    LEFT JOIN preference AS w ON $11 AND w.account = $2 AND w.category = $3 AND w.to_idx = r.to_idx
    WHERE r.campaign = $1 AND r.arm >= 0
), judged AS MATERIALIZED (
    SELECT a.contact, had.week, had.month,
        coalesce(had.day >= a.day, false) OR coalesce(had.week >= a.week, false)
            OR coalesce(had.month >= a.month, false) OR ($9::bigint > 0 AND had.near) AS capped
    FROM asked AS a
    LEFT JOIN frequency AS f ON f.account = $2 AND f.category = $3 AND f.to_idx = a.to_idx
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE at > $4::bigint - $5::bigint) AS day,
            count(*) FILTER (WHERE at > $4::bigint - 7 * $5::bigint) AS week,
            count(*) FILTER (WHERE at > $4::bigint - 30 * $5::bigint) AS month,
            coalesce(max(at) > $4::bigint - $9::bigint, false) AS near
        FROM unnest(f.sent_at) AS sent (at)
    ) AS had
), engaged AS (
    INSERT INTO planned_engaged (contact, week, month)
    SELECT j.contact, j.week, j.month
    FROM judged AS j
    LEFT JOIN engagement AS e ON e.contact = j.contact AND e.kind = 'recall_delivered' AND e.n >= $13
    WHERE $12 AND NOT j.capped AND (j.month > 0 OR e.contact IS NOT NULL)
)
SELECT count(*) FROM judged WHERE capped;

-- name: group_cap_readers
-- One process at a time reads who is in the segments.
SELECT pg_try_advisory_xact_lock(7307061169);

-- name: group_caps_due
-- Whose contacts were not read since $1.
SELECT g.id, g.account, g.segment, s.source
FROM group_cap AS g
JOIN segment AS s ON s.id = g.segment
WHERE g.members_at IS NULL OR g.members_at < $1
ORDER BY g.members_at NULLS FIRST, g.id;

-- name: capped_audience_table
CREATE TEMP TABLE capped_audience (contact bigint NOT NULL) ON COMMIT DROP;

-- name: capped_audience
-- The slot takes the SELECT of a segment (campaigns/segments/compiling.py), which has all parameters.
INSERT INTO capped_audience SELECT id FROM ({segment}) AS segment (id);

-- name: capped_audience_static
-- Who became part of another contact is in it as that one.
INSERT INTO capped_audience
SELECT DISTINCT coalesce(c.merged_into, c.id)
FROM segment_member AS m
JOIN contact AS c ON c.id = m.contact
WHERE m.segment = $1;

-- name: group_cap_members_gone
DELETE FROM group_cap_member AS m
WHERE m.cap = $1 AND NOT EXISTS (SELECT FROM capped_audience AS a WHERE a.contact = m.contact);

-- name: group_cap_members_new
-- None for a cap that has ended meanwhile.
INSERT INTO group_cap_member (contact, cap)
SELECT a.contact, g.id FROM capped_audience AS a JOIN group_cap AS g ON g.id = $1
ON CONFLICT DO NOTHING;

-- name: group_cap_read
UPDATE group_cap
SET members_at = $2, members = (SELECT count(*) FROM capped_audience), fault = NULL
WHERE id = $1;

-- name: group_cap_unread
UPDATE group_cap SET fault = $2 WHERE id = $1;

-- name: person_group_caps
SELECT m.cap, g.account, m.contact FROM group_cap_member AS m JOIN group_cap AS g ON g.id = m.cap
WHERE m.contact IN (SELECT id FROM contacts_of($1, $2, NULL))
ORDER BY m.cap, m.contact;

-- name: person_group_caps_erase
WITH found AS (
    SELECT m.cap, m.contact FROM group_cap_member AS m
    WHERE m.contact IN (SELECT id FROM contacts_of($1, $2, $3))
    LIMIT $4
), changed AS (
    DELETE FROM group_cap_member AS m USING found AS f WHERE m.cap = f.cap AND m.contact = f.contact
    RETURNING m.contact
)
SELECT count(*) FROM changed;
