-- Webhooks: who wants to hear, what happened, what still has to be told, and what became of it.

-- Where a message's changes are told beside the endpoints: {"url", "events", "data"}. NULL for most.
ALTER TABLE message ADD COLUMN callback jsonb;

-- Moves with each change of an endpoint, in its transaction: by it other processes see that something is new.
-- Writer: dlr.
CREATE TABLE webhook_generation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    number    bigint NOT NULL
);
INSERT INTO webhook_generation (number) VALUES (1);

-- Few rows. A callback's row stands for an account and an origin, and is made when the first callback goes there.
-- Writer: dlr.
CREATE TABLE webhook_endpoint (
    id              bigint NOT NULL PRIMARY KEY,
    account         smallint NOT NULL,
    callback        boolean NOT NULL DEFAULT false,
    url             text NOT NULL,                    -- of a callback its origin
    events          text[] NOT NULL,                  -- names, "message.*", "final"
    batch_max       smallint NOT NULL DEFAULT 1,
    batch_wait_ms   integer NOT NULL DEFAULT 0,
    full_numbers    boolean NOT NULL DEFAULT false,
    ordered         boolean NOT NULL DEFAULT false,
    ca              text,                             -- PEM of the authority that signed its certificate
    headers_enc     bytea,                            -- own headers; some are secret
    secrets_enc     bytea,                            -- NULL of a callback: its account's are in webhook_callback_secret
    state           smallint NOT NULL DEFAULT 0,      -- dlr/webhooks/endpoints.py
    reason          text,                             -- why it is in that state
    since           timestamptz NOT NULL DEFAULT now(),
    last_success_at timestamptz,
    tested_at       timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    deleted_at      timestamptz
) WITH (fillfactor = 70);
CREATE INDEX webhook_endpoint_account ON webhook_endpoint (account, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX webhook_endpoint_origin ON webhook_endpoint (account, url) WHERE callback AND deleted_at IS NULL;

-- What signs an account's per-message callbacks. Who has a row here may name callbacks. Writer: dlr.
CREATE TABLE webhook_callback_secret (
    account     smallint NOT NULL PRIMARY KEY,
    secrets_enc bytea NOT NULL
);

-- What changed, one row for each transaction that changed something which somebody wants to hear of. In that
-- transaction; taken out by the fan-out, which makes events and deliveries of it. Writer: dlr.
CREATE TABLE webhook_change (
    id      bigint NOT NULL PRIMARY KEY,
    changes bytea NOT NULL                            -- dlr/webhooks/changes.py
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- What is told, octet for octet, with numbers masked. Partitioned by day, kept for [retention] webhooks_days.
-- Writer: dlr.
CREATE TABLE webhook_event (
    id         bigint NOT NULL PRIMARY KEY,
    account    smallint NOT NULL,
    type       text NOT NULL,
    subject    bigint NOT NULL,                       -- the message, inbound message or batch it is about; else 0
    sequence   integer NOT NULL DEFAULT 0,            -- of a message's statuses: rises
    status     smallint NOT NULL DEFAULT 0,           -- what a message is since then
    body       bytea NOT NULL,
    number_enc bytea                                  -- the number that stands masked in the body
) PARTITION BY RANGE (id);
CREATE INDEX webhook_event_subject ON webhook_event (subject, sequence);

-- What still has to be told. The events of a row stand fast from its first attempt on; deleted at its end. Writer: dlr.
CREATE TABLE webhook_delivery (
    id        bigint NOT NULL PRIMARY KEY,
    endpoint  bigint NOT NULL,
    event_ids bigint[] NOT NULL,
    subject   bigint,                                 -- of an ordered endpoint: what its events are about
    url       text,                                   -- of a callback
    attempt   smallint NOT NULL DEFAULT 0,            -- how many were made
    next_at   timestamptz NOT NULL,
    owner     bigint NOT NULL DEFAULT 0,              -- the term that is at it; 0: none
    frozen    boolean NOT NULL DEFAULT false,         -- may have been told: nothing joins it any more
    full_numbers boolean NOT NULL DEFAULT false,      -- as of then
    replayed  boolean NOT NULL DEFAULT false          -- behind what is fresh
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX webhook_delivery_due ON webhook_delivery (endpoint, replayed, next_at) WHERE owner = 0;
CREATE INDEX webhook_delivery_owner ON webhook_delivery (owner) WHERE owner <> 0;
CREATE INDEX webhook_delivery_subject ON webhook_delivery (endpoint, subject, id) WHERE subject IS NOT NULL;
CREATE INDEX webhook_delivery_endpoint ON webhook_delivery (endpoint, id);

-- The log: each attempt, and what ended without one. Partitioned by day, kept for [retention] webhooks_days.
-- Writer: dlr.
CREATE TABLE webhook_attempt (
    id        bigint NOT NULL PRIMARY KEY,
    endpoint  bigint NOT NULL,
    delivery  bigint NOT NULL,
    attempt   smallint NOT NULL,                      -- 1 the first; 0: none was made
    state     smallint NOT NULL,                      -- dlr/webhooks/log.py
    event_ids bigint[] NOT NULL,
    url       text,
    full_numbers boolean NOT NULL DEFAULT false,
    status    smallint,                               -- of the answer
    error     text,                                   -- without an answer: of which class
    ms        integer,
    answer    text                                    -- 1 KiB of its body
) PARTITION BY RANGE (id);
CREATE INDEX webhook_attempt_endpoint ON webhook_attempt (endpoint, id);
CREATE INDEX webhook_attempt_delivery ON webhook_attempt (delivery, id);
