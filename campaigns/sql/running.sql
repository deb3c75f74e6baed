-- name: campaign_lock
SELECT * FROM campaign WHERE id = $1 FOR UPDATE;

-- name: campaign_pause
UPDATE campaign SET state = $2, resumes_as = $3, reason = $4, cause = $5, revision = revision + 1 WHERE id = $1;

-- name: campaigns_restored
UPDATE campaign SET state = $2, resumes_as = state, reason = $3, cause = NULL, revision = revision + 1
WHERE state = ANY($1::smallint[])
RETURNING id, account;

-- name: campaign_resume
-- The rate is counted anew from here: what a pause has missed does not come all at once. Nobody fed yet, it begins at $3.
-- $4: the next chunk begins another batch. $5: its texts may go.
UPDATE campaign
SET state = $2, resumes_as = NULL, reason = NULL, cause = NULL, revision = revision + 1,
    cleared_version = CASE WHEN $5 THEN version ELSE cleared_version END,
    started_at = CASE WHEN started_at IS NOT NULL AND next_seq = 0 THEN $3 ELSE started_at END,
    paced_at = CASE WHEN next_seq = 0 THEN $3 ELSE clock_timestamp() END, paced_seq = next_seq,
    wave = CASE WHEN $4 THEN NULL ELSE wave END, wave_chunks = CASE WHEN $4 THEN 0 ELSE wave_chunks END
WHERE id = $1;

-- name: campaign_end
UPDATE campaign
SET state = $2, resumes_as = NULL, reason = NULL, cause = NULL, revision = revision + 1, ended_at = clock_timestamp()
WHERE id = $1;
