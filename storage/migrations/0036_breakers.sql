-- Breakers: what is held back because too much fails there, or because a person says so.

-- One row for each that was ever open and is not forgotten. `scope` and `subject` are its name. The columns behind the
-- name are what messages are compared with. Writer: dispatch.
CREATE TABLE breaker (
    id            bigint NOT NULL PRIMARY KEY,
    scope         text NOT NULL,                      -- connector | operator | batch | campaign | sender
    subject       text NOT NULL,                      -- dispatch/breakers/scopes.py
    connector     smallint,
    account       smallint,
    batch_id      bigint,
    name          text,                               -- of the operator, campaign or sender
    state         smallint NOT NULL,                  -- dispatch/breakers/machine.py
    since         timestamptz NOT NULL,               -- of the state
    until         timestamptz,                        -- when the next state begins by itself
    failures      smallint NOT NULL DEFAULT 0,        -- openings that are not forgotten
    round         smallint NOT NULL DEFAULT 0,
    taken         integer NOT NULL DEFAULT 0,         -- probes of this round that were let through
    taken_at      timestamptz,
    baseline      double precision NOT NULL,          -- the share that was usually delivered
    wait_ms       integer NOT NULL,                   -- after a round's last probe
    evidence_from timestamptz NOT NULL,               -- what was counted before says nothing any more
    actor         text NOT NULL,                      -- who changed it last: "key 7", "detector drop"
    reason        text NOT NULL,                      -- in words
    evidence      bytea,                              -- as of its last opening, JSON, octet for octet
    UNIQUE (scope, subject)
);
CREATE INDEX breaker_holding ON breaker (id) WHERE state IN (1, 2, 3);

-- The messages that a breaker in its probing let through, to be judged by. Writer: dispatch.
CREATE TABLE breaker_probe (
    breaker    bigint NOT NULL,
    message_id bigint NOT NULL,
    round      smallint NOT NULL,
    PRIMARY KEY (breaker, message_id)
);

-- The messages that wait in the outbox because of a breaker; taken out as they are let go. Writer: dispatch.
CREATE TABLE breaker_hold (
    breaker    bigint NOT NULL,
    message_id bigint NOT NULL,
    held_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (breaker, message_id)
);
