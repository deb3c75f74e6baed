-- What reports count, as sums that are kept up to date: dlr/rollups. A message is counted in the quarter of an hour in
-- which it was accepted, whatever becomes of it later. A quarter is a number: seconds since 1970 in UTC, divided by 900.
-- A day is a number, too: days since 1970 in UTC, which is quarter / 96. Messages of the sandbox are not counted.

-- Where a message's number is from, as its range was assigned. Numbers as in recipients/numbers/origin_numbers.py;
-- 0 not known. Rows from before this column have 0.
ALTER TABLE message ADD COLUMN country smallint NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN operator smallint NOT NULL DEFAULT 0;

-- Numbers for texts that rollups group by. Number 0 is no text, and stands in no row. Writer: dlr.
CREATE TABLE rollup_name (
    id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind smallint NOT NULL,                           -- dlr/rollups/names.py: sender, campaign, variant, tag, code
    name text NOT NULL,
    UNIQUE (kind, name)
);

-- What a message is counted under. Sender, campaign and variant are numbers of rollup_name; 0 none; -1 one of many
-- others, where a day had more cells than are kept. Writer: dlr.
CREATE TABLE rollup_key (
    id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account   smallint NOT NULL,
    category  smallint NOT NULL,                      -- storage/categories.py
    connector smallint NOT NULL,                      -- of the submission that decided; else the first choice
    sender    integer NOT NULL,
    country   smallint NOT NULL,                      -- as message.country
    operator  smallint NOT NULL,                      -- as message.operator
    campaign  integer NOT NULL,
    variant   integer NOT NULL,
    UNIQUE (account, category, connector, sender, country, operator, campaign, variant)
);

-- Messages accepted in a quarter, by what became of them. What is in no outcome is pending. Writer: dlr.
CREATE TABLE rollup_cell (
    quarter     integer NOT NULL,
    key         integer NOT NULL,                     -- rollup_key.id
    accepted    integer NOT NULL,                     -- messages that were stored
    sent        integer NOT NULL,                     -- of them: a part was, or may have been, on the wire
    parts       integer NOT NULL,                     -- parts on the wire, as a phone gets them
    delivered   integer NOT NULL,
    undelivered integer NOT NULL,
    expired     integer NOT NULL,
    rejected    integer NOT NULL,
    unknown     integer NOT NULL,
    failed      integer NOT NULL,
    suppressed  integer NOT NULL,
    capped      integer NOT NULL,
    canceled    integer NOT NULL,
    unconfirmed integer NOT NULL,
    late        integer NOT NULL,                     -- the last receipt came after the message's validity had ended
    d5m         integer NOT NULL,                     -- delivered within 5 minutes of acceptance, by the last receipt
    d1h         integer NOT NULL,                     -- within an hour
    PRIMARY KEY (quarter, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- The cells of a UTC day in sum, always up to date with them. Writer: dlr.
CREATE TABLE rollup_day (
    day         integer NOT NULL,
    key         integer NOT NULL,                     -- rollup_key.id
    accepted    integer NOT NULL,                     -- this and what follows: as in rollup_cell
    sent        integer NOT NULL,
    parts       integer NOT NULL,
    delivered   integer NOT NULL,
    undelivered integer NOT NULL,
    expired     integer NOT NULL,
    rejected    integer NOT NULL,
    unknown     integer NOT NULL,
    failed      integer NOT NULL,
    suppressed  integer NOT NULL,
    capped      integer NOT NULL,
    canceled    integer NOT NULL,
    unconfirmed integer NOT NULL,
    late        integer NOT NULL,
    d5m         integer NOT NULL,
    d1h         integer NOT NULL,
    PRIMARY KEY (day, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- Messages that ended without being delivered, by reason and by the carrier's code. Writer: dlr.
CREATE TABLE rollup_reason (
    quarter  integer NOT NULL,
    key      integer NOT NULL,                        -- rollup_key.id
    status   smallint NOT NULL,                       -- dlr/status.py: 15 to 73, but not delivered
    reason   smallint NOT NULL,                       -- dlr/reasons.py
    code     integer NOT NULL,                        -- rollup_name.id; 0 none; -1 one of many others
    messages integer NOT NULL,
    PRIMARY KEY (quarter, key, status, reason, code)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- Messages by tag; one with several tags is counted under each. Writer: dlr.
CREATE TABLE rollup_tag (
    quarter     integer NOT NULL,
    account     smallint NOT NULL,
    category    smallint NOT NULL,
    tag         integer NOT NULL,                     -- rollup_name.id; -1 one of many others
    accepted    integer NOT NULL,                     -- this and what follows: as in rollup_cell
    sent        integer NOT NULL,
    parts       integer NOT NULL,
    delivered   integer NOT NULL,
    undelivered integer NOT NULL,
    expired     integer NOT NULL,
    rejected    integer NOT NULL,
    unknown     integer NOT NULL,
    failed      integer NOT NULL,
    suppressed  integer NOT NULL,
    capped      integer NOT NULL,
    canceled    integer NOT NULL,
    unconfirmed integer NOT NULL,
    late        integer NOT NULL,
    d5m         integer NOT NULL,
    d1h         integer NOT NULL,
    PRIMARY KEY (quarter, account, category, tag)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- Messages that a connector was given, by what became of them there. One that went over two connectors is counted under
-- both, so that what the second made good does not hide the first. Writer: dlr.
CREATE TABLE rollup_attempt (
    quarter     integer NOT NULL,                     -- in which the message was accepted
    account     smallint NOT NULL,
    category    smallint NOT NULL,
    connector   smallint NOT NULL,
    attempts    integer NOT NULL,                     -- messages; what is in no outcome is pending
    delivered   integer NOT NULL,
    undelivered integer NOT NULL,
    expired     integer NOT NULL,
    rejected    integer NOT NULL,
    unknown     integer NOT NULL,
    failed      integer NOT NULL,
    unconfirmed integer NOT NULL,
    PRIMARY KEY (quarter, account, category, connector)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- Histograms of times, of messages whose last response or receipt is there. Writer: dlr.
CREATE TABLE rollup_latency (
    quarter   integer NOT NULL,
    account   smallint NOT NULL,
    category  smallint NOT NULL,
    connector smallint NOT NULL,                      -- as in rollup_key
    kind      smallint NOT NULL,                      -- 0 answer: acceptance to last response; 1 receipt: last submit to last receipt
    buckets   smallint[] NOT NULL,                    -- dlr/rollups/latency.py; rising
    counts    integer[] NOT NULL,                     -- messages in each of them
    PRIMARY KEY (quarter, account, category, connector, kind)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- Messages that changed, one row for each transaction that changed some. Gone when they are counted. Writer: dlr.
CREATE TABLE rollup_change (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        smallint NOT NULL,                    -- 0 changed, 1 new: accepted by a transaction that began late
    message_ids bigint[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- Up to where messages are counted. Writer: dlr.
CREATE TABLE rollup_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    cursor    bigint NOT NULL,                        -- every message with a lower id is counted, as of merged_at
    merged_at timestamptz NOT NULL DEFAULT now()      -- when the last merge began
);

-- What is known of a day's rollups. Writer: dlr.
CREATE TABLE rollup_day_state (
    day          integer NOT NULL PRIMARY KEY,
    dirty_since  timestamptz,                         -- something could not be counted exactly: it is counted anew soon
    recounted_at timestamptz,                         -- when it was last counted anew
    closed       boolean NOT NULL DEFAULT false,      -- 5 days are over, and it was counted anew since
    final        boolean NOT NULL DEFAULT false       -- closed, and no message of it can change in the usual way
);
CREATE INDEX rollup_day_state_dirty ON rollup_day_state (dirty_since) WHERE dirty_since IS NOT NULL;

-- As what a message is counted, while that may still change. Partitioned by day of the message. Writer: dlr.
CREATE TABLE rollup_watch (
    message_id bigint NOT NULL PRIMARY KEY,
    key        integer NOT NULL,                      -- rollup_key.id
    status     smallint NOT NULL,                     -- dlr/status.py; 10 pending
    reason     smallint NOT NULL,
    code       integer NOT NULL,                      -- as in rollup_reason
    parts      smallint NOT NULL,                     -- on the wire; 0: it is not counted as sent
    flags      smallint NOT NULL,                     -- 1 late, 2 within 5 minutes, 4 within an hour, 8 sent
    answer     smallint,                              -- bucket of rollup_latency
    receipt    smallint,                              -- bucket of rollup_latency
    tags       integer[],                             -- as in rollup_tag
    attempts   integer[]                              -- connector * 256 + status of each connector
) PARTITION BY RANGE (message_id);
