-- What kind of reply a message from a handset is (recipients/replies.py): opt_out | opt_in | help | keyword | rating |
-- other. NULL: stored by a release that knew but `keyword`.
ALTER TABLE inbound_message
    ADD COLUMN class text,
    ADD COLUMN keyword_name text,                     -- what the account calls the word, of a keyword
    ADD COLUMN rating smallint;
-- GET /v1/inbound of one class.
CREATE INDEX inbound_message_class ON inbound_message (account, (coalesce(class, keyword)), id);

-- Of whose senders a word has opted out, without the plus; NULL: of every sender of the account. A release that does not
-- know the column takes every entry for one of all senders.
ALTER TABLE suppression ADD COLUMN senders text[];
