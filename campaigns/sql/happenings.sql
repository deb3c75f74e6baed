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

-- name: event_due_put_listed
-- The contacts of an account ($2) that have a number with one of these indexes; where nobody has, nothing is written.
INSERT INTO contact_event_due (what, ids)
SELECT $1::smallint, array_agg(DISTINCT contact)
FROM contact_number
WHERE account = $2 AND to_idx = ANY($3::bytea[])
HAVING count(*) > 0;

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

-- name: due_listed
-- Since when the account's own list has an opt-out ($3) of a number of these contacts ($1), or of what each became part
-- of. NULL: it has none that holds. $2: the sources of such entries.
SELECT k.id AS contact, k.account, (
    SELECT min(s.created_at)
    FROM contact_number AS n
    JOIN suppression AS s ON s.to_idx = n.to_idx AND s.account = k.account
    WHERE n.contact = k.id AND s.source = ANY($2::text[]) AND s.reason = $3
      AND (s.expires_at IS NULL OR s.expires_at > now())
) AS since
FROM contact AS k
WHERE k.id IN (SELECT coalesce(c.merged_into, c.id) FROM contact AS c WHERE c.id = ANY($1::bigint[]))
ORDER BY k.id;

-- name: events_listed
-- The events that say of these contacts that they were listed.
SELECT id, contact FROM contact_event WHERE what = 9 AND contact = ANY($1::bigint[]);

-- name: event_sources_forget
-- Those of these clicks, between $2 and $3, that are no person's ($4) by now are the source ($5) of nothing any more.
-- Returns the events that were made of them.
DELETE FROM contact_event_source AS s
USING click AS c
WHERE c.id = ANY($1::bigint[]) AND c.id BETWEEN $2 AND $3 AND c.class <> $4
  AND s.source = c.id AND s.source BETWEEN $2 AND $3 AND s.what = $5 AND s.event IS NOT NULL
RETURNING s.event;

-- name: events_take_back
-- Deletes these events, which have ids from $2 to $3, and takes out of the sums those that are counted, up to position $4.
-- What is left of a kind is looked up only where the first or the last of it went. Of days that are not kept the sums know
-- the first moment alone. Hours are as in engagement_fold, with zones $5 and $6. $7: milliseconds of the ids' epoch; $8: an
-- event is told so much before its time at most. Returns how many went, by kind.
WITH gone AS (
    DELETE FROM contact_event
    WHERE id = ANY($1::bigint[]) AND id BETWEEN $2 AND $3
    RETURNING contact, kind, at, position
), counted AS MATERIALIZED (
    SELECT g.contact, g.kind, g.at,
           g.at AT TIME ZONE CASE WHEN c.time_zone = ANY($5::text[]) THEN c.time_zone ELSE $6 END AS local
    FROM gone AS g
    JOIN contact AS c ON c.id = g.contact
    WHERE g.position <= $4
), taken AS MATERIALIZED (
    SELECT contact, kind, count(*) AS n, min(at) AS first_at, max(at) AS last_at FROM counted GROUP BY contact, kind
), stays AS (
    SELECT t.contact, t.kind, t.n, t.first_at, t.last_at, l.first_at AS left_first, l.last_at AS left_last
    FROM taken AS t
    JOIN engagement AS g ON g.contact = t.contact AND g.kind = t.kind AND g.n > t.n
    CROSS JOIN LATERAL (
        SELECT min(e.at) AS first_at, max(e.at) AS last_at
        FROM contact_event AS e
        WHERE (t.first_at <= g.first_at OR t.last_at >= g.last_at)
          AND e.contact = t.contact AND e.kind = t.kind AND e.position <= $4 AND e.id <> ALL($1::bigint[])
          AND e.id >= greatest(0, extract(epoch FROM g.first_at - $8::interval) * 1000 - $7::bigint)::bigint << 22
    ) AS l
), lessened AS (
    UPDATE engagement AS g
    SET n = g.n - s.n,
        first_at = CASE WHEN s.first_at <= g.first_at THEN coalesce(s.left_first, g.first_at) ELSE g.first_at END,
        last_at = CASE WHEN s.last_at >= g.last_at THEN coalesce(s.left_last, g.first_at) ELSE g.last_at END
    FROM stays AS s
    WHERE g.contact = s.contact AND g.kind = s.kind
), ended AS (
    DELETE FROM engagement AS g USING taken AS t WHERE g.contact = t.contact AND g.kind = t.kind AND g.n <= t.n
), hours AS (
    SELECT contact, array_agg(hour) AS hours
    FROM (
        SELECT contact,
               extract(hour FROM local)::integer + CASE WHEN extract(isodow FROM local) >= 6 THEN 24 ELSE 0 END AS hour
        FROM counted
        WHERE contact_did(kind)
    ) AS each
    GROUP BY contact
), profiles AS (
    UPDATE hour_profile AS p
    SET hours = (
        SELECT array_agg(greatest(0, u.n - cardinality(array_positions(h.hours, u.place::integer - 1)))::smallint ORDER BY u.place)
        FROM unnest(p.hours) WITH ORDINALITY AS u (n, place)
    )
    FROM hours AS h
    WHERE p.contact = h.contact
)
SELECT kind, count(*) AS events FROM gone GROUP BY kind;

-- name: campaigns_with_goal
-- Those of these campaigns that have the goal $2, each with its account. A goal stands since the plan.
SELECT c.id, c.account
FROM campaign AS c
JOIN campaign_version AS v ON v.campaign = c.id AND v.version = c.version
WHERE c.id = ANY($1::bigint[]) AND v.spec ->> 'goal' = $2;

-- name: event_sources_claim
-- Returns those of which there is no event yet.
INSERT INTO contact_event_source (source, what, event)
SELECT source, what, event FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) AS u (source, what, event)
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
