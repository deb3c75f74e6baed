-- name: text_days_next
SELECT text_days FROM message
WHERE text_days IS NOT NULL AND text <> '' AND text_days > $1
ORDER BY text_days
LIMIT 1;

-- name: texts_due
SELECT id FROM message
WHERE text_days IS NOT NULL AND text <> '' AND text_days = $1 AND id > $2 AND id < $3
ORDER BY id
LIMIT $4;

-- name: texts_empty
UPDATE message SET text = '' WHERE id = ANY($1::bigint[]) AND id BETWEEN $2 AND $3;
