-- name: attribute_types
SELECT name, type FROM attribute_def WHERE account = $1

-- name: tag_ids
SELECT name, id FROM tag_def WHERE account = $1

-- name: segments_named
SELECT name, id, source, refers_to FROM segment WHERE account = $1 AND name = ANY($2::text[])
