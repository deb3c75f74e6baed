-- name: store_if_clear
-- $1: messages as a JSON array of objects. All of them are stored, or none if anybody is on the suppression list. A
-- client_ref that is taken raises unique_violation, also one whose 72 hours are over. Rows are in one order
-- everywhere, so that two flushes never wait for each other.
WITH given AS MATERIALIZED (
    SELECT *
    FROM json_to_recordset($1::text::json) AS given (
        id bigint, owner bigint, account smallint, category smallint, connector smallint, data_coding smallint,
        parts smallint, sender text, to_enc bytea, to_idx bytea, text text, expires_at timestamptz, priority smallint,
        client_ref text, fingerprint bytea, campaign_id text, variant text, tags text[],
        text_days smallint, country smallint, operator smallint
    )
), asked AS MATERIALIZED (
    SELECT NOT EXISTS (
        SELECT
        FROM given
        JOIN suppression AS s ON s.to_idx = given.to_idx
        WHERE s.account IN (0, given.account) AND s.category IN (-1, given.category)
          AND (s.expires_at IS NULL OR s.expires_at > now())
    ) AS clear
), referred AS (
    INSERT INTO client_ref (account, client_ref, message_id, fingerprint)
    SELECT account, client_ref, id, fingerprint
    FROM given, asked
    WHERE clear AND client_ref IS NOT NULL
    ORDER BY account, client_ref
), stored AS (
    INSERT INTO message
        (id, account, category, connector, data_coding, parts, sender, to_enc, to_idx, text, client_ref, campaign_id,
         variant, tags, expires_at, priority, text_days, country, operator)
    SELECT id, account, category, connector, data_coding, parts, sender, to_enc, to_idx, text, client_ref, campaign_id,
        variant, tags, expires_at, priority, text_days, country, operator
    FROM given, asked
    WHERE clear
), waiting AS (
    INSERT INTO outbox (id, owner, connector, category, account, parts, expires_at, priority)
    SELECT id, owner, connector, category, account, parts, expires_at, priority
    FROM given, asked
    WHERE clear
)
SELECT clear FROM asked;
