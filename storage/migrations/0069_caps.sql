-- Caps on the marketing that contacts of a group get, beside what the account allows everybody.

-- An id is time-ordered (storage/ids.py). A group is a tag or a saved segment. Writer: campaigns.
CREATE TABLE group_cap (
    id         bigint NOT NULL PRIMARY KEY,
    account    smallint NOT NULL,
    tag        integer REFERENCES tag_def (id),
    segment    bigint REFERENCES segment,             -- which cannot be deleted while a cap is for it
    day        smallint,                              -- messages in 24 hours; NULL: any number
    week       smallint,                              -- in 7 days
    month      smallint,                              -- in 30 days
    version    integer NOT NULL DEFAULT 1,            -- one more for each change
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    members_at timestamptz,                           -- of a segment: when its contacts were read last
    members    integer,                               -- and how many they were
    fault      text,                                  -- why they could not be read since
    CHECK ((tag IS NULL) <> (segment IS NULL))
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX group_cap_tag ON group_cap (account, tag) WHERE tag IS NOT NULL;
CREATE UNIQUE INDEX group_cap_segment ON group_cap (account, segment) WHERE segment IS NOT NULL;

-- Who is in the segment of a cap, as it was read last. A contact that is gone stays until the next reading.
-- Writer: campaigns.
CREATE TABLE group_cap_member (
    contact bigint NOT NULL,
    cap     bigint NOT NULL REFERENCES group_cap ON DELETE CASCADE,
    PRIMARY KEY (contact, cap)
);
CREATE INDEX group_cap_member_cap ON group_cap_member (cap);

-- Of whoever was skipped for a cap: which rule it was, as decisions name it, and what it said.
ALTER TABLE campaign_skip ADD COLUMN rule text, ADD COLUMN detail text;

-- A person may also say on which days they want messages of the category: 1 Monday, 2 Tuesday … 64 Sunday, added up;
-- NULL: on any. Who only says so leaves month_max NULL: any number.
ALTER TABLE preference ADD COLUMN days smallint, ALTER COLUMN month_max DROP NOT NULL;
