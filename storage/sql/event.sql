-- name: event_append
-- Repeated after a commit in doubt, some may stand already.
INSERT INTO event (id, message_id, kind, detail)
SELECT id, message_id, kind, detail::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS new (id, message_id, kind, detail)
ON CONFLICT (id) DO NOTHING;

-- name: events_of_message
SELECT id, kind, detail FROM event WHERE message_id = $1 AND id >= $1 ORDER BY id;
