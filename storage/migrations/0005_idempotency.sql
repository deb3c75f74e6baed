-- What makes a repeated request or message safe, and what finds messages again.

-- Which message took a client's reference first. Good for 72 hours by the time in message_id. Writer: gateway.accept.
CREATE TABLE client_ref (
    account    smallint NOT NULL,
    client_ref text NOT NULL,
    message_id bigint NOT NULL,
    PRIMARY KEY (account, client_ref)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX client_ref_message ON client_ref (message_id);  -- for the purge, and for taking an accept back

-- One row per Idempotency-Key, kept 24 hours by the time in first_id. Written before the request's messages are, so
-- that a repeat after a crash finds their ids. Writer: gateway.accept.
CREATE TABLE idempotency (
    account      smallint NOT NULL,
    endpoint     text NOT NULL,                       -- method and path
    key          text NOT NULL,
    fingerprint  bytea NOT NULL,                      -- SHA-256 of the body
    owner        bigint NOT NULL,                     -- term of the process that answers it
    first_id     bigint NOT NULL,                     -- the first of the ids that were taken for it
    status       smallint,                            -- of the answer; NULL while it is in progress
    content_type text,
    location     text,
    answer       bytea,
    PRIMARY KEY (account, endpoint, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX idempotency_first ON idempotency (first_id);

-- Finding messages again by what clients know of them (by number: message_recipient of 0003). A B-tree on a random value
-- cost 8 us of processor a row, a block range index with bloom filters well under 1 us, and a day of a million messages
-- is searched in tens of milliseconds. Batch ids grow with time: a B-tree of them grows at its end, and costs nothing
-- that could be measured.
CREATE INDEX message_client_ref ON message USING brin (client_ref text_bloom_ops (n_distinct_per_range = 4000))
    WITH (pages_per_range = 64, autosummarize = on);
CREATE INDEX message_batch ON message (batch_id) WHERE batch_id IS NOT NULL;
