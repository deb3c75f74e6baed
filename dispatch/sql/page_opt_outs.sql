-- name: page_message
-- Of a person that was erased the number is gone: nobody could keep what the page would promise.
SELECT account, category, sender, to_enc, to_idx FROM message WHERE id = $1 AND to_enc <> '';
