-- name: campaign_lock
SELECT * FROM campaign WHERE id = $1 FOR UPDATE;

-- name: campaign_pause
UPDATE campaign SET state = $2, resumes_as = $3, reason = $4, cause = $5, revision = revision + 1 WHERE id = $1;

-- name: campaigns_restored
-- $2: paused. One that was goes back to what it would have, and keeps its reason behind the new one ($3).
UPDATE campaign
SET state = $2, resumes_as = CASE WHEN state = $2 THEN resumes_as ELSE state END,
    reason = concat_ws('; before that: ', $3::text, CASE WHEN state = $2 THEN reason END), cause = $4,
    revision = revision + 1
WHERE state = ANY($1::smallint[]) AND cause IS DISTINCT FROM $4
RETURNING id, account;

-- name: campaign_resume
-- The rate is counted anew from here: what a pause has missed does not come all at once. Nobody fed yet, it begins at $3.
-- $4: the next chunk begins another batch. $5: its texts may go. A canary gets its time anew: nothing went meanwhile.
UPDATE campaign
SET state = $2, resumes_as = NULL, reason = NULL, cause = NULL, revision = revision + 1,
    cleared_version = CASE WHEN $5 THEN version ELSE cleared_version END,
    started_at = CASE WHEN started_at IS NOT NULL AND next_seq = 0 THEN $3 ELSE started_at END,
    paced_at = CASE WHEN next_seq = 0 THEN $3 ELSE clock_timestamp() END, paced_seq = next_seq, canary_fed_at = NULL,
    wave = CASE WHEN $4 THEN NULL ELSE wave END, wave_chunks = CASE WHEN $4 THEN 0 ELSE wave_chunks END,
    judged_chunk = CASE WHEN $4 THEN next_chunk ELSE judged_chunk END
WHERE id = $1;

-- name: campaign_end
UPDATE campaign
SET state = $2, resumes_as = NULL, reason = NULL, cause = NULL, revision = revision + 1, ended_at = clock_timestamp()
WHERE id = $1
RETURNING test_batch;
