-- name: messages_found
-- By an index: of the number, the reference or the batch; or from what is in doubt, which is read in full within the
-- span, since an index on a status would cost every receipt. MATERIALIZED, or the planner would rather walk back along
-- the primary key until the page is full.
WITH found AS MATERIALIZED (
    SELECT m.id
    FROM message AS m
    WHERE m.account = $1 AND m.id >= $2 AND m.id < $3
      AND ($4::bytea[] IS NULL OR m.to_idx = ANY($4::bytea[]))
      AND ($5::text IS NULL OR m.client_ref = $5)
      AND ($6::bigint IS NULL OR m.batch_id = $6)
      AND ($7::text IS NULL OR m.campaign_id = $7)
      AND ($8::text IS NULL OR $8 = ANY(m.tags))
      AND (NOT $9::boolean OR m.id IN (
          SELECT s.message_id FROM submission AS s WHERE s.id >= $2 AND s.status = 5 AND s.account = $1
      ))
)
SELECT id FROM found ORDER BY id DESC LIMIT $10;

-- name: messages_walked
SELECT walked.id
FROM (
    SELECT id, account, campaign_id, tags
    FROM message
    WHERE id >= $2 AND id < $3
    ORDER BY id DESC
    LIMIT $7
) AS walked
WHERE walked.account = $1
  AND ($4::text IS NULL OR walked.campaign_id = $4)
  AND ($5::text IS NULL OR $5 = ANY(walked.tags))
ORDER BY walked.id DESC
LIMIT $6;

-- name: walk_end
-- Where a walk ended because of its bound; NULL when it came to the end of the span.
SELECT CASE WHEN count(*) = $3 THEN min(id) END
FROM (
    SELECT id FROM message WHERE id >= $1 AND id < $2 ORDER BY id DESC LIMIT $3
) AS walked;
