-- name: messages_stored
-- A flush is one transaction: all of its messages are there, or none.
SELECT count(*) FROM message WHERE id = ANY($1::bigint[]);

-- name: retract_outbox
DELETE FROM outbox WHERE id = ANY($1::bigint[]);

-- name: retract_message
DELETE FROM message WHERE id = ANY($1::bigint[]);
