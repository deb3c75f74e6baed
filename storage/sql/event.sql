-- name: event_append
-- Repeated after a commit in doubt, some may stand already.
INSERT INTO event (id, message_id, kind, detail)
SELECT id, message_id, kind, detail::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS new (id, message_id, kind, detail)
ON CONFLICT (id) DO NOTHING;

-- name: events_of_message
SELECT id, kind, detail FROM event WHERE message_id = $1 AND id >= $1 ORDER BY id;

-- name: event_append_new
-- Those that do not stand already, with the same detail; no event is older than its message, of which $5 is the first.
INSERT INTO event (id, message_id, kind, detail)
SELECT new.id, new.message_id, new.kind, new.detail::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS new (id, message_id, kind, detail)
WHERE NOT EXISTS (
    SELECT FROM event AS e
    WHERE e.message_id = new.message_id AND e.id >= $5 AND e.kind = new.kind AND e.detail = new.detail::jsonb
);
