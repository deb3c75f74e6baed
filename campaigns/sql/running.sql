-- name: campaign_lock
SELECT * FROM campaign WHERE id = $1 FOR UPDATE;

-- name: campaign_pause
UPDATE campaign SET state = $2, resumes_as = $3, reason = $4, revision = revision + 1 WHERE id = $1;

-- name: campaigns_restored
UPDATE campaign SET state = $2, resumes_as = state, reason = $3, revision = revision + 1
WHERE state = ANY($1::smallint[])
RETURNING id, account;

-- name: campaign_resume
-- The rate is counted anew from here: what a pause has missed does not come all at once.
UPDATE campaign
SET state = $2, resumes_as = NULL, reason = NULL, revision = revision + 1, paced_at = clock_timestamp(), paced_seq = next_seq
WHERE id = $1;

-- name: campaign_end
UPDATE campaign
SET state = $2, resumes_as = NULL, reason = NULL, revision = revision + 1, ended_at = clock_timestamp()
WHERE id = $1;
