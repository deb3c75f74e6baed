-- name: messages_stored
-- A flush is one transaction: all of its messages are there, or none.
SELECT count(*) FROM message WHERE id = ANY($1::bigint[]);

-- name: retract_outbox
DELETE FROM outbox WHERE id = ANY($1::bigint[]);

-- name: retract_message
DELETE FROM message WHERE id = ANY($1::bigint[]) RETURNING id;

-- name: batch_register
-- Of a batch that is spread over several flushes and lanes the first one writes it.
INSERT INTO batch_control (id, account, until_id)
SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::bigint[])
ON CONFLICT (id) DO NOTHING;
