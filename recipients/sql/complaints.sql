-- name: complaint_stored
SELECT id, account, reference, fingerprint, to_enc, source, source_name, text, at, message_id, connector, sender, category,
       campaign_id, suppressed
FROM complaint
WHERE account = $1 AND reference = $2;

-- name: complaint_message
-- The message that is named, if it is this account's.
SELECT id, to_idx, to_enc, connector, sender, category, campaign_id
FROM message
WHERE id = $1 AND account = $2 AND connector <> -1;  -- the sandbox

-- name: complaint_last_message
-- The last message that was sent to a number before a complaint, of one campaign or (NULL) of any. $4: messages from
-- there; $5: submits before then; $6: how many of the newest are looked at.
SELECT m.id, m.to_idx, m.to_enc, m.connector, m.sender, m.category, m.campaign_id
FROM (
    SELECT id, to_idx, to_enc, connector, sender, category, campaign_id
    FROM message
    WHERE to_idx = ANY($1::bytea[]) AND account = $2 AND ($3::text IS NULL OR campaign_id = $3) AND id >= $4
      AND connector <> -1
    ORDER BY id DESC
    LIMIT $6
) AS m
CROSS JOIN LATERAL (
    SELECT max(s.submitted_at) AS at FROM submission AS s
    WHERE s.message_id = m.id AND s.id >= m.id AND s.submitted_at <= $5
) AS sent
WHERE sent.at IS NOT NULL
ORDER BY sent.at DESC, m.id DESC
LIMIT 1;

-- name: complaint_add
INSERT INTO complaint
    (id, account, reference, fingerprint, to_idx, to_enc, source, source_name, text, at, message_id, connector, sender,
     category, campaign_id, suppressed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (account, reference) DO NOTHING;

-- name: complaints
-- An account's, the latest recorded first, before an id ($2), of one number, source or campaign, or (NULL) of any.
SELECT id, account, reference, fingerprint, to_enc, source, source_name, text, at, message_id, connector, sender, category,
       campaign_id, suppressed
FROM complaint
WHERE account = $1 AND id < $2 AND id >= $3
  AND ($4::bytea[] IS NULL OR to_idx = ANY($4::bytea[]))
  AND ($5::text IS NULL OR source = $5)
  AND ($6::text IS NULL OR campaign_id = $6)
ORDER BY id DESC
LIMIT $7;

-- name: complaints_purge
DELETE FROM complaint
WHERE id IN (SELECT id FROM complaint WHERE id < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED);
