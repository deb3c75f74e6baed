-- name: clicks_of_message
SELECT id, slot, class, reasons FROM click WHERE message_id = $1 AND id > $3 ORDER BY id LIMIT $2

-- name: click_counts
SELECT class, count(*) AS clicks, count(DISTINCT message_id) AS messages
FROM click
WHERE message_id >= $1 AND message_id < $2
GROUP BY class
