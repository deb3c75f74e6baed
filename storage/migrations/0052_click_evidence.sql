-- What a click was judged by, so that it can be judged again: late receipts, newer rules. The writer of `click` stays.
ALTER TABLE click
    ADD COLUMN link_id  bigint,                       -- a link of its own: message_id is 0 then; NULL: a recipient's link
    ADD COLUMN facts    text[] NOT NULL DEFAULT '{}', -- shortlinks/classify.py: RequestFacts; {}: none were kept
    ADD COLUMN agent    text[],                       -- class and reason of the user agent, once that is not kept
    ADD COLUMN rules    smallint NOT NULL DEFAULT 1,  -- the version of the rules that judged it
    ADD COLUMN revision smallint NOT NULL DEFAULT 1,  -- one more for each change of its class
    ADD COLUMN settled  boolean NOT NULL DEFAULT true; -- false: it is judged again once receipts had time to come
CREATE INDEX click_link ON click (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX click_open ON click (id) WHERE NOT settled;

-- A process that redirects knows the newest ranges before anybody asks for them.
CREATE INDEX link_range_created ON link_range (created_at);
