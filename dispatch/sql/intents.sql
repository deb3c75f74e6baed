-- name: intent_open
INSERT INTO submit_intent (id, owner, connector, message_ids)
VALUES ($1, $2, $3, $4);

-- name: intents_open_if_clear
-- $5, $7, $8: numbers as the text of an array; $6: indexes of 16 octets, one behind the other.
SELECT open_intents(
    $1, $2, $3, $4, $5::text::bigint[],
    ARRAY(
        SELECT substring($6::bytea FROM 16 * place + 1 FOR 16)
        FROM generate_series(0, length($6::bytea) / 16 - 1) AS place
        ORDER BY place
    ),
    $7::text::smallint[], $8::text::smallint[], $9
);

-- name: intent_close
DELETE FROM submit_intent WHERE id = ANY($1::bigint[]);

-- name: intents_of_terms
SELECT id, connector, message_ids FROM submit_intent WHERE owner = ANY($1::bigint[]) ORDER BY id;
