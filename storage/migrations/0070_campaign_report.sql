-- What reports of campaigns count, as sums that outlive messages and contacts.

-- One row for each batch of a campaign: when its messages were counted last. Writer: campaigns.
CREATE TABLE campaign_stat_batch (
    campaign   bigint NOT NULL,
    batch      bigint NOT NULL,
    counted_at timestamptz,                           -- NULL: not yet
    closed     boolean NOT NULL DEFAULT false,        -- it is not counted again: nothing changes it, or its messages go
    linked     boolean NOT NULL DEFAULT false,        -- its texts have links of the recipient's own
    compliance jsonb,                                 -- campaigns/reporting/compliance.py; NULL: not looked at yet
    PRIMARY KEY (campaign, batch)
) WITH (fillfactor = 80);
CREATE INDEX campaign_stat_batch_open ON campaign_stat_batch (batch) WHERE NOT closed;
INSERT INTO campaign_stat_batch (campaign, batch) SELECT DISTINCT campaign, batch FROM campaign_chunk;

-- Messages of a batch, by what tells them apart for good once they are sent. Writer: campaigns.
CREATE TABLE campaign_stat (
    campaign bigint NOT NULL,
    batch    bigint NOT NULL,
    version  integer NOT NULL,
    arm      smallint NOT NULL,
    operator smallint NOT NULL,                       -- as message.operator
    segments smallint NOT NULL,                       -- as campaign_recipient.segments
    hour     integer NOT NULL,                        -- of the first submit, else of acceptance: hours since 1970 in UTC
    counts   jsonb NOT NULL,                          -- campaigns/reporting/cells.py: those that are not 0
    clicks   jsonb NOT NULL DEFAULT '{}',             -- clicks of people by full hours since the first submit, up to 71
    PRIMARY KEY (campaign, batch, version, arm, operator, segments, hour)
);

-- Which of the report's segments somebody was in at the plan: bit n for the one that the campaign names as number n.
ALTER TABLE campaign_recipient ADD COLUMN segments smallint NOT NULL DEFAULT 0;

-- Of the message, as it was when the conversion was told: they outlive it. NULL: none, or told before this column.
ALTER TABLE conversion ADD COLUMN campaign text, ADD COLUMN arm text;

-- Id number `place` of the run that begins with `first`, as storage/ids.py has it; a test compares the two.
CREATE FUNCTION id_of_run(first bigint, place integer) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (((first >> 22 << 14) + (first & 16383) + place) >> 14 << 22)
        | (first & 4177920) | ((first & 16383) + place & 16383)
$$;
