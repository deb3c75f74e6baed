-- What is said of messages and batches after they were accepted, and the order in which the backlog is read.

-- One row per batch: what the API says about it, and what every process has to do about it. Its messages have ids
-- from `id` to `until_id`, so whoever looks for them reads a range of the primary keys. Writer: gateway.
CREATE TABLE batch_control (
    id         bigint NOT NULL PRIMARY KEY,           -- message.batch_id
    account    smallint NOT NULL,
    until_id   bigint NOT NULL,
    state      smallint NOT NULL DEFAULT 0,           -- gateway/control/states.py
    rate       text,                                  -- of its own, over all processes; NULL: none
    paid_until timestamptz NOT NULL DEFAULT '-infinity', -- what its rate let go is paid for until then
    live       boolean NOT NULL DEFAULT false,        -- not as accepted, and messages of it may wait: all must know
    changed_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX batch_control_live ON batch_control (id) WHERE live;

-- Messages that were canceled while a process held them in memory. Its last look before the wire takes them out of
-- here and drops them. Writer: gateway.
CREATE TABLE message_cancel (
    message_id bigint NOT NULL PRIMARY KEY,
    owner      bigint NOT NULL                        -- the term that holds it
);

-- The backlog of a connector and category by priority band (0-3, 4-6, 7-9), and in it by batch (a message without one
-- is its own) in the order of acceptance. A batch that is stopped is a range that a claim steps over, however long.
DROP INDEX outbox_free;
CREATE INDEX outbox_free ON outbox (connector, category, (priority * 3 / 10), (COALESCE(batch_id, id)), id)
    WHERE owner = 0 AND not_before IS NULL;
