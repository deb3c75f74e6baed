-- The whole first schema. Shapes and why: ARCHITECTURE.md, "Storage".
-- Partitioned tables get their day partitions from storage/partitions.py; a leaf's fillfactor is set there too,
-- because PostgreSQL refuses it on a partitioned parent.

CREATE TABLE installation (
    singleton       boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    key_fingerprint text NOT NULL,                    -- of the number keys: another key is refused at start
    created_at      timestamptz NOT NULL DEFAULT now()
);

-- One row per life of a gateway process. `term` fences: what a dead term owned may be taken over once its
-- database sessions are gone.
CREATE TABLE owner_term (
    term        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node        smallint NOT NULL,                    -- 0..255, the node bits of the ids this process makes
    host        text NOT NULL,                        -- machine and boot, so that a pid means something
    pid         integer NOT NULL,
    pid_started text NOT NULL,                        -- tells a re-used pid from the old process
    acquired_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    ended_at    timestamptz                           -- released by itself or taken over by another
);
CREATE UNIQUE INDEX owner_term_node ON owner_term (node) WHERE ended_at IS NULL;

CREATE TABLE account (
    id   smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE connector (
    id   smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

CREATE TABLE api_key (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account    smallint NOT NULL REFERENCES account,
    name       text NOT NULL,
    key_hash   bytea NOT NULL UNIQUE,                 -- SHA-256 of the random 256-bit key
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    UNIQUE (account, name)
);

-- Insert-only. id is time-ordered (storage/ids.py), so a day is an id range. Writer: gateway.accept.
CREATE TABLE message (
    id          bigint NOT NULL PRIMARY KEY,
    account     smallint NOT NULL,
    category    smallint NOT NULL,                    -- 0 otp, 1 transactional, 2 service, 3 marketing
    connector   smallint NOT NULL,                    -- first choice of the route; 0 = none
    data_coding smallint NOT NULL,                    -- 0 GSM 03.38, 8 UCS-2
    parts       smallint NOT NULL,
    sender      text NOT NULL,
    to_enc      bytea NOT NULL,                       -- AES-SIV of the E.164 number
    to_idx      bytea NOT NULL,                       -- keyed HMAC of it, 16 bytes
    text        text NOT NULL,                        -- as sent: signature, suffix and short links included
    client_ref  text,
    batch_id    bigint,
    campaign_id text,
    variant     text,
    tags        text[],
    expires_at  timestamptz
) PARTITION BY RANGE (id);

-- What still has to be sent. Inserted at accept, deleted with the result. Writer: gateway.
CREATE TABLE outbox (
    id         bigint NOT NULL PRIMARY KEY,           -- = message.id
    owner      bigint NOT NULL,                       -- term that holds it in memory; 0 = free
    connector  smallint NOT NULL,
    category   smallint NOT NULL,
    account    smallint NOT NULL,
    parts      smallint NOT NULL,
    attempt    smallint NOT NULL DEFAULT 0,
    not_before timestamptz,                           -- a retry or an account's pace waits until then
    expires_at timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
-- Two indexes, so that a million messages that wait for their time cost those that may go nothing.
CREATE INDEX outbox_free ON outbox (connector, category, id) WHERE owner = 0 AND not_before IS NULL;
CREATE INDEX outbox_due ON outbox (connector, not_before) WHERE owner = 0 AND not_before IS NOT NULL;

-- Committed before the first byte of a batch goes on the wire; gone once every result of it is stored.
CREATE TABLE submit_intent (
    id          bigint NOT NULL PRIMARY KEY,
    owner       bigint NOT NULL,                      -- term
    connector   smallint NOT NULL,
    message_ids bigint[] NOT NULL,
    opened_at   timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- One row per submit_sm that got a result, or of part 0 for a message that ended without the wire.
-- Partitioned by its own id, taken at submit. No index on what changes. Writer: dlr.
CREATE TABLE submission (
    id           bigint NOT NULL PRIMARY KEY,
    message_id   bigint NOT NULL,
    part         smallint NOT NULL,                   -- 1..parts; 0 = never on the wire
    parts        smallint NOT NULL,
    account      smallint NOT NULL,
    category     smallint NOT NULL,
    connector    smallint NOT NULL,
    status       smallint NOT NULL,                   -- dlr/status.py: the code is the rank
    reason       smallint NOT NULL DEFAULT 0,         -- dlr/reasons.py
    error        text,                                -- the carrier's own code, or ours
    carrier_id   text,                                -- normalised message_id of submit_sm_resp
    submitted_at timestamptz,
    responded_at timestamptz,
    receipt_at   timestamptz,                         -- when the deciding receipt reached us
    done_at      timestamptz                          -- the carrier's done date
) PARTITION BY RANGE (id);
CREATE INDEX submission_message ON submission (message_id);
CREATE INDEX submission_carrier ON submission (connector, carrier_id) WHERE carrier_id IS NOT NULL;

-- Only what message and submission rows do not already say. Writer: storage (several rooms compose it).
CREATE TABLE event (
    id         bigint NOT NULL PRIMARY KEY,
    message_id bigint NOT NULL,
    kind       text NOT NULL,
    detail     jsonb
) PARTITION BY RANGE (id);
CREATE INDEX event_message ON event (message_id);

-- A receipt that came before its submit_sm_resp, or that belongs to nobody we know. Writer: dlr.
CREATE TABLE unmatched_receipt (
    id          bigint NOT NULL PRIMARY KEY,
    connector   smallint NOT NULL,
    carrier_id  text NOT NULL,
    status      smallint NOT NULL,
    reason      smallint NOT NULL,
    error       text,
    done_at     timestamptz,
    received_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX unmatched_receipt_carrier ON unmatched_receipt (connector, carrier_id);

-- Who must not be texted, and why. Writer: storage (hygiene, opt-out and the API compose it).
CREATE TABLE suppression (
    to_idx     bytea NOT NULL,
    account    smallint NOT NULL,                     -- 0 = every account
    category   smallint NOT NULL,                     -- -1 = every category
    reason     smallint NOT NULL,                     -- dlr/reasons.py
    source     text NOT NULL,                         -- receipt | api | keyword
    message_id bigint,                                -- the evidence
    detail     text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (to_idx, account, category)
);

-- Where short links lead: one row per accept flush, not one per recipient. Writer: shortlinks.
CREATE SEQUENCE link_block;
CREATE TABLE link_range (
    first_seq    bigint NOT NULL PRIMARY KEY,
    slots        smallint NOT NULL,                   -- links per message in this row, 1..8
    message_ids  bigint[] NOT NULL,                   -- the k-th message has link_seq = first_seq + k
    targets      text[] NOT NULL,                     -- distinct URLs
    target_index integer[] NOT NULL,                  -- [k * slots + slot] -> 1-based index into targets, 0 = none
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE click (
    id         bigint NOT NULL PRIMARY KEY,
    link_seq   bigint NOT NULL,
    slot       smallint NOT NULL,
    message_id bigint NOT NULL,
    class      smallint NOT NULL,                     -- shortlinks/classify.py
    reasons    text[] NOT NULL,
    method     text NOT NULL,
    user_agent text NOT NULL,
    ip_prefix  text NOT NULL                          -- /24 or /48 only
) PARTITION BY RANGE (id);
CREATE INDEX click_message ON click (message_id);

-- How much of each click journal file is in `click`, moved in the transaction that loads it.
CREATE TABLE click_journal (
    name          text PRIMARY KEY,
    loaded_offset bigint NOT NULL
);
