-- name: messages_found
-- By an index: of the number, the reference or the batch. MATERIALIZED, or the planner would rather walk back along the
-- primary key until the page is full.
WITH found AS MATERIALIZED (
    SELECT m.id
    FROM message AS m
    WHERE m.account = $1 AND m.id >= $2 AND m.id < $3
      AND ($4::bytea[] IS NULL OR m.to_idx = ANY($4))
      AND ($5::text IS NULL OR m.client_ref = $5)
      AND ($6::bigint IS NULL OR m.batch_id = $6)
      AND ($7::text IS NULL OR m.campaign_id = $7)
      AND ($8::text IS NULL OR $8 = ANY(m.tags))
)
SELECT id FROM found ORDER BY id DESC LIMIT $9;

-- name: messages_in_doubt
-- From the submissions that are in doubt, each partition of the span read once: an index on a status would cost every
-- receipt. They are few. MATERIALIZED, so that their messages are looked up by key, each in its own partition.
-- Submissions are then not read again for every partition of messages.
WITH doubtful AS MATERIALIZED (
    SELECT DISTINCT s.message_id AS id
    FROM submission AS s
    WHERE s.id >= $2 AND s.status = 5 AND s.account = $1 AND s.message_id >= $2 AND s.message_id < $3
), newest AS MATERIALIZED (
    SELECT doubtful.id
    FROM doubtful
    CROSS JOIN LATERAL (
        SELECT FROM message AS m
        WHERE m.id = doubtful.id AND m.account = $1
          AND ($4::text IS NULL OR m.campaign_id = $4)
          AND ($5::text IS NULL OR $5 = ANY(m.tags))
        OFFSET 0  -- a look-up for each, however many the planner takes them for
    ) AS fits
)
SELECT id FROM newest ORDER BY id DESC LIMIT $6;

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
