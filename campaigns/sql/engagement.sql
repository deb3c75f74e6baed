-- name: events_last
-- The last position that an event has.
SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM contact_event_position;

-- name: zones_known
SELECT name FROM pg_timezone_names;

-- name: engagement_hold
-- Nobody sums events, or makes them of what the gateway knows, until the transaction ends. It comes before the lock of
-- any contact.
SELECT cursor FROM engagement_state FOR UPDATE;

-- name: engagement_move
UPDATE engagement_state SET cursor = $1;

-- name: engagement_fold
-- Events behind a position up to another, of contacts that are there. Hours are those of the contact's zone, where it
-- is one of $3; else those of $4. Of hours only what the contact did counts. Returns how many were counted.
WITH batch AS MATERIALIZED (
    SELECT e.account, e.contact, e.kind, e.at,
           e.at AT TIME ZONE CASE WHEN c.time_zone = ANY($3::text[]) THEN c.time_zone ELSE $4 END AS local
    FROM contact_event AS e
    JOIN contact AS c ON c.id = e.contact
    WHERE e.position > $1 AND e.position <= $2
), sums AS (
    INSERT INTO engagement AS there (account, contact, kind, first_at, last_at, n)
    SELECT account, contact, kind, min(at), max(at), count(*) FROM batch
    GROUP BY account, contact, kind
    ON CONFLICT (contact, kind) DO UPDATE
    SET first_at = least(there.first_at, excluded.first_at), last_at = greatest(there.last_at, excluded.last_at),
        n = there.n + excluded.n
), counted AS (
    SELECT account, contact, hour, count(*) AS n
    FROM (
        SELECT account, contact,
               extract(hour FROM local)::integer + CASE WHEN extract(isodow FROM local) >= 6 THEN 24 ELSE 0 END AS hour
        FROM batch
        WHERE contact_did(kind)
    ) AS each
    GROUP BY account, contact, hour
), profiles AS (
    INSERT INTO hour_profile AS there (contact, account, hours)
    SELECT w.contact, w.account, array_agg(least(coalesce(n.n, 0), 32767)::smallint ORDER BY h)
    FROM (SELECT DISTINCT contact, account FROM counted) AS w
    CROSS JOIN generate_series(0, 47) AS h
    LEFT JOIN counted AS n ON n.contact = w.contact AND n.hour = h
    GROUP BY w.contact, w.account
    ON CONFLICT (contact) DO UPDATE SET hours = (
        SELECT array_agg(least(a + b, 32767)::smallint ORDER BY hour)
        FROM unnest(there.hours, excluded.hours) WITH ORDINALITY AS u (a, b, hour)
    )
)
SELECT count(*) FROM batch;
