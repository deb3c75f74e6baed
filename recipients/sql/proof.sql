-- name: proof_replies
-- What a number's person wrote to opt out or in, the latest first, and the text that was answered, while they are kept.
SELECT i.id, i.keyword AS kind, i.destination, nullif(i.text, '') AS text, i.answers,
       nullif(m.text, '') AS answered_text
FROM (
    SELECT id, keyword, destination, text, answers
    FROM inbound_message
    WHERE from_idx = ANY($1::bytea[]) AND account = ANY($2::smallint[]) AND keyword IS NOT NULL
    ORDER BY id DESC
    LIMIT $3
) AS i
LEFT JOIN LATERAL (SELECT text FROM message WHERE id = i.answers LIMIT 1) AS m ON true
ORDER BY i.id DESC;

-- name: proof_changes
SELECT id, actor, action, (detail ->> 'category')::integer AS category
FROM audit
WHERE subject = ANY($1::bytea[]) AND account = ANY($2::smallint[])
  AND action IN ('suppression.add', 'suppression.remove', 'complaint.record')
ORDER BY id DESC
LIMIT $3;
