-- Campaigns: what is to be sent to whom and when, the people as they were planned, and how far it has come.

-- One row a campaign. An id is ordered by time (storage/ids.py). Writer: campaigns.
CREATE TABLE campaign (
    id           bigint NOT NULL PRIMARY KEY,
    account      smallint NOT NULL,
    state        smallint NOT NULL,                   -- campaigns/running/states.py
    resumes_as   smallint,                            -- of a paused one: the state it goes back to
    reason       text,                                -- of a paused one: why
    version      integer NOT NULL DEFAULT 1,          -- of what is sent: campaign_version
    revision     integer NOT NULL DEFAULT 1,          -- one more for each change, of which kind soever
    created_at   timestamptz NOT NULL DEFAULT now(),
    tested_version integer,                           -- the version whose test was sent last
    test_batch   bigint,                              -- the messages of that test
    planned_at   timestamptz,                         -- NULL: nobody is planned
    planned      integer NOT NULL DEFAULT 0,          -- rows of campaign_recipient
    canary       integer NOT NULL DEFAULT 0,          -- recipients that go first
    counts       jsonb NOT NULL DEFAULT '{}',         -- of the plan: the segment, each arm, each reason of exclusion
    started_at   timestamptz,                         -- slots are minutes after this
    paced_at     timestamptz,                         -- the rate is counted from here,
    paced_seq    integer NOT NULL DEFAULT 0,          -- and from this recipient
    next_seq     integer NOT NULL DEFAULT 0,          -- up to here recipients are in chunks
    next_chunk   integer NOT NULL DEFAULT 0,
    wave         bigint,                              -- the batch that the next chunk joins
    wave_chunks  integer NOT NULL DEFAULT 0,          -- that it has
    canary_fed_at timestamptz,                        -- when the last of the canary was in a chunk that is done
    ended_at     timestamptz
) WITH (fillfactor = 50);
CREATE INDEX campaign_listed ON campaign (account, id);
CREATE INDEX campaign_open ON campaign (id) WHERE state IN (2, 3);

-- What a campaign sends, as somebody wrote it. Never changed. Writer: campaigns.
CREATE TABLE campaign_version (
    campaign bigint NOT NULL,
    version  integer NOT NULL,
    spec     jsonb NOT NULL,                          -- campaigns/running/spec.py
    author   text NOT NULL,                           -- such as "key 7"
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (campaign, version)
);

-- The audience as it was planned; insert-only. Partitioned by the day of the campaign's id. Writer: campaigns.
CREATE TABLE campaign_recipient (
    campaign bigint NOT NULL,
    seq      integer NOT NULL,                        -- from 0, in the order of sending
    contact  bigint NOT NULL,
    to_idx   bytea NOT NULL,                          -- the number that is texted
    arm      smallint NOT NULL,                       -- from 0; -1: of the holdout, a slot that is never fed
    slot     integer NOT NULL,                        -- minutes after the start, before which it does not go
    PRIMARY KEY (campaign, seq),
    UNIQUE (campaign, contact)
) PARTITION BY RANGE (campaign);
CREATE INDEX campaign_recipient_to_idx ON campaign_recipient (to_idx);

-- Who was in the segment and is not planned. Writer: campaigns.
CREATE TABLE campaign_excluded (
    campaign bigint NOT NULL,
    contact  bigint NOT NULL,
    reason   text NOT NULL,                           -- campaigns/running/reasons.py
    PRIMARY KEY (campaign, contact)
);

-- Who was planned and got no message of the last chunk that has them. Writer: campaigns.
CREATE TABLE campaign_skip (
    campaign bigint NOT NULL,
    seq      integer NOT NULL,
    version  integer NOT NULL,
    reason   text NOT NULL,                           -- campaigns/running/reasons.py, or a code of a refusal
    PRIMARY KEY (campaign, seq, version)
);

-- Up to 500 recipients whose message ids are reserved together: recipient `seq` has id number `seq - from_seq` of the
-- run that begins with first_id. Committed before any of its messages is. Writer: campaigns.
CREATE TABLE campaign_chunk (
    campaign bigint NOT NULL,
    no       integer NOT NULL,
    version  integer NOT NULL,
    batch    bigint NOT NULL,                         -- of its messages
    from_seq integer NOT NULL,
    to_seq   integer NOT NULL,                        -- the last one
    first_id bigint NOT NULL,
    owner    bigint NOT NULL,                         -- the term that is at it
    reserved bigint NOT NULL DEFAULT 0,               -- of a budget, in millionths
    done     boolean NOT NULL DEFAULT false,
    redone   integer,                                 -- the chunk of an earlier version whose recalled messages it has
    PRIMARY KEY (campaign, no)
) WITH (fillfactor = 70);
CREATE INDEX campaign_chunk_given ON campaign_chunk (campaign, no) WHERE NOT done;
CREATE INDEX campaign_chunk_ids ON campaign_chunk (first_id);
CREATE UNIQUE INDEX campaign_chunk_redone ON campaign_chunk (campaign, redone) WHERE redone IS NOT NULL;
