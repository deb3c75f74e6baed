-- name: page_message
SELECT account, category, sender, to_enc, to_idx FROM message WHERE id = $1;
