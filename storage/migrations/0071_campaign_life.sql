-- Why a campaign is paused, in a word that can be asked about again, and which of its versions was let go.

ALTER TABLE campaign ADD COLUMN cause text;              -- of a paused one: campaigns/running/causes.py; NULL: a person's
ALTER TABLE campaign ADD COLUMN cleared_version integer; -- the last version whose texts were tested as it began or went on
ALTER TABLE campaign ADD COLUMN links_asked_at timestamptz; -- while it runs: when its links were asked last

-- What has begun already was tested as it began.
UPDATE campaign SET cleared_version = coalesce(tested_version, 1) WHERE started_at IS NOT NULL;
