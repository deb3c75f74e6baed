-- Experiments of campaigns: who is in the test, what was seen of it, and what the others get.

ALTER TABLE campaign
    ADD COLUMN test_end    integer,                   -- recipients before it are the test; NULL: there is no experiment
    ADD COLUMN decided_at  timestamptz,               -- NULL: recipients behind the test wait. Their slots are minutes after it
    ADD COLUMN decided     text,                      -- how: campaigns/decisions/decided.py
    ADD COLUMN decided_arm smallint,                  -- whose text they get; -1: none; NULL: that of their own arm
    ADD COLUMN decided_by  text,                      -- such as "key 7"
    ADD COLUMN decided_why text;                      -- what a person gave as the reason

-- What was seen of an experiment, look by look. Never changed. Writer: campaigns.
CREATE TABLE experiment_look (
    campaign bigint NOT NULL,
    at       timestamptz NOT NULL,
    counts   jsonb NOT NULL,                          -- arm by arm: campaigns/decisions/counting.py
    lambda   double precision NOT NULL,               -- the largest likelihood ratio of two arms
    verdict  text NOT NULL,                           -- campaigns/decisions/verdicts.py
    PRIMARY KEY (campaign, at)
);
