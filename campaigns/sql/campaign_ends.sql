-- name: campaign_chunk_purge
-- $1: ids of campaigns before it. What is not done is somebody's message.
DELETE FROM campaign_chunk
WHERE (campaign, no) IN (SELECT campaign, no FROM campaign_chunk WHERE campaign < $1 AND done ORDER BY campaign, no LIMIT $2);

-- name: campaign_excluded_purge
DELETE FROM campaign_excluded
WHERE (campaign, contact) IN (
    SELECT campaign, contact FROM campaign_excluded WHERE campaign < $1 ORDER BY campaign, contact LIMIT $2
);

-- name: campaign_skip_purge
DELETE FROM campaign_skip
WHERE (campaign, seq, version) IN (
    SELECT campaign, seq, version FROM campaign_skip WHERE campaign < $1 ORDER BY campaign, seq, version LIMIT $2
);

-- name: person_recipients
SELECT r.campaign, r.seq, r.arm, r.slot
FROM campaign_recipient AS r
JOIN campaign AS c ON c.id = r.campaign
WHERE r.to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR c.account = ANY($2))
ORDER BY r.campaign, r.seq;

-- name: person_recipients_erase
-- The new index is nobody's: whoever is not fed yet is skipped.
WITH found AS (
    SELECT r.campaign, r.seq
    FROM campaign_recipient AS r
    JOIN campaign AS c ON c.id = r.campaign
    WHERE r.to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR c.account = ANY($2)) AND r.campaign < $3
    LIMIT $4
), changed AS (
    UPDATE campaign_recipient AS r
    SET to_idx = uuid_send(gen_random_uuid())
    FROM found
    WHERE r.campaign = found.campaign AND r.seq = found.seq
    RETURNING r.seq
)
SELECT count(*) FROM changed;
