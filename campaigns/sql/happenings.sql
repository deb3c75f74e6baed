-- name: accounts_with_contacts
SELECT a.id FROM account AS a WHERE EXISTS (SELECT FROM contact_number AS n WHERE n.account = a.id) ORDER BY a.id;

-- name: event_due_put
INSERT INTO contact_event_due (what, ids) SELECT $1, $2::bigint[] WHERE EXISTS (SELECT FROM contact_number);

-- name: event_due_put_of
INSERT INTO contact_event_due (what, ids)
SELECT $1, $2::bigint[]
WHERE EXISTS (
    SELECT FROM unnest($3::smallint[]) AS a (id) WHERE EXISTS (SELECT FROM contact_number AS n WHERE n.account = a.id)
);

-- name: event_due_next
-- The first rows of kinds that are known ($3), with $2 ids together, and at least one.
SELECT id, what, at, ids
FROM (
    SELECT id, what, at, ids, sum(cardinality(ids)) OVER (ORDER BY id) AS named
    FROM (SELECT * FROM contact_event_due WHERE what = ANY($3::smallint[]) ORDER BY id LIMIT $1) AS first
) AS summed
WHERE named - cardinality(ids) < $2
ORDER BY id;

-- name: event_due_done
DELETE FROM contact_event_due WHERE id = ANY($1::bigint[]);

-- name: event_due_waiting
-- How many ids wait, and for how long the first of them does.
SELECT coalesce(sum(cardinality(ids)), 0) AS ids,
       coalesce(greatest(0, extract(epoch FROM now() - min(at))), 0)::float8 AS seconds
FROM contact_event_due;

-- name: due_messages
-- Those of these messages, between $2 and $3, that went to a contact; and when the last part of each was told of. Of a
-- person who is being erased the number goes last.
SELECT m.id AS source, m.account, n.contact, m.campaign_id,
       (
           SELECT max(coalesce(s.receipt_at, s.responded_at))
           FROM submission AS s
           WHERE s.message_id = m.id AND s.id >= m.id AND NOT s.replaced
       ) AS at
FROM message AS m
JOIN contact_number AS n ON n.account = m.account AND n.to_idx = m.to_idx
JOIN contact AS k ON k.id = n.contact
WHERE m.id = ANY($1::bigint[]) AND m.id BETWEEN $2 AND $3 AND m.connector <> -1
ORDER BY m.id;

-- name: due_clicks
-- Those of these clicks that are still a person's ($4), on messages that went to a contact.
SELECT c.id AS source, m.account, n.contact
FROM click AS c
JOIN message AS m ON m.id = c.message_id AND m.connector <> -1
JOIN contact_number AS n ON n.account = m.account AND n.to_idx = m.to_idx
JOIN contact AS k ON k.id = n.contact
WHERE c.id = ANY($1::bigint[]) AND c.id BETWEEN $2 AND $3 AND c.class = $4
ORDER BY c.id;

-- name: due_inbound
SELECT i.id AS source, i.account, n.contact, coalesce(i.class, i.keyword) = 'opt_out' IS TRUE AS opts_out
FROM inbound_message AS i
JOIN contact_number AS n ON n.account = i.account AND n.to_idx = i.from_idx
JOIN contact AS k ON k.id = n.contact
WHERE i.id = ANY($1::bigint[]) AND i.id BETWEEN $2 AND $3
ORDER BY i.id;

-- name: due_complaints
SELECT c.id AS source, c.account, n.contact, c.at
FROM complaint AS c
JOIN contact_number AS n ON n.account = c.account AND n.to_idx = c.to_idx
JOIN contact AS k ON k.id = n.contact
WHERE c.id = ANY($1::bigint[]) AND c.id BETWEEN $2 AND $3
ORDER BY c.id;

-- name: due_conversions
SELECT v.id AS source, v.account, n.contact, v.event, v.occurred_at AS at, v.value_micros
FROM conversion AS v
JOIN message AS m ON m.id = v.message_id AND m.account = v.account AND m.connector <> -1
JOIN contact_number AS n ON n.account = m.account AND n.to_idx = m.to_idx
JOIN contact AS k ON k.id = n.contact
WHERE v.id = ANY($1::bigint[]) AND v.id BETWEEN $2 AND $3 AND v.message_id > 0
ORDER BY v.id;

-- name: campaigns_with_goal
-- Those of these campaigns that have the goal $2, each with its account. A goal stands since the plan.
SELECT c.id, c.account
FROM campaign AS c
JOIN campaign_version AS v ON v.campaign = c.id AND v.version = c.version
WHERE c.id = ANY($1::bigint[]) AND v.spec ->> 'goal' = $2;

-- name: event_sources_claim
-- Returns those of which there is no event yet.
INSERT INTO contact_event_source (source, what)
SELECT source, what FROM unnest($1::bigint[], $2::smallint[]) AS u (source, what)
ON CONFLICT DO NOTHING
RETURNING source, what;

-- name: events_make
INSERT INTO contact_event (id, account, contact, kind, at, amount, what)
SELECT id, account, contact, kind, at, amount, what
FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::text[], $5::timestamptz[], $6::bigint[], $7::smallint[])
    AS u (id, account, contact, kind, at, amount, what);

-- name: interests
-- What each contact of $1 did and got after $2, up to $3. And the tier that this leads to, as interest.py has it. $4:
-- the first id that such an event may have. A conversion was made of one ($5), but for visits ($6), or is told as $7.
SELECT s.*,
       CASE
           WHEN s.recalls >= 3 AND s.reactions = 0 THEN 0
           WHEN 4 * s.clicks + 12 * s.conversions - s.deliveries >= 12 THEN 3
           WHEN 4 * s.clicks + 12 * s.conversions - s.deliveries >= 0 THEN 2
           ELSE 1
       END AS tier
FROM (
    SELECT asked.contact,
           count(e.id) FILTER (WHERE e.kind = 'click') AS clicks,
           count(e.id) FILTER (
               WHERE (e.what = ANY($5::smallint[]) AND e.kind <> $6) OR (e.what IS NULL AND e.kind = $7)
           ) AS conversions,
           count(e.id) FILTER (WHERE e.kind = 'delivered') AS deliveries,
           count(e.id) FILTER (WHERE e.kind = 'recall_delivered') AS recalls,
           count(e.id) FILTER (WHERE contact_did(e.kind)) AS reactions
    FROM unnest($1::bigint[]) AS asked (contact)
    LEFT JOIN contact_event AS e ON e.contact = asked.contact AND e.id >= $4 AND e.at > $2 AND e.at <= $3
    GROUP BY asked.contact
) AS s;
