-- Texts that go before their messages do, and what a new installation keeps for how long.

-- How long the text is kept: 0 until the message is final, else so many days and until it is final. NULL: as long as the
-- message. A text that has gone is '': no other is empty. Writer: messages.
ALTER TABLE message ADD COLUMN text_days smallint;
-- Only of texts that still have to go, so that the others cost nothing.
CREATE INDEX message_text_days ON message (text_days, id) WHERE text_days IS NOT NULL AND text <> '';
-- Of a message from a handset: 0 as soon as it was told. Writer: dispatch.
ALTER TABLE inbound_message ADD COLUMN text_days smallint;
CREATE INDEX inbound_message_text_days ON inbound_message (text_days, id) WHERE text_days IS NOT NULL AND text <> '';

-- The answer to one message has its text, which may be kept for less long than the answer: encrypted. Writer: messages.
ALTER TABLE idempotency ADD COLUMN answer_enc bytea;

-- Whether `[retention]` says what it said before this release where nothing is set: an upgrade deletes nothing sooner.
ALTER TABLE installation ADD COLUMN keeps_as_before boolean NOT NULL DEFAULT true;
ALTER TABLE installation ALTER COLUMN keeps_as_before SET DEFAULT false;

-- What has ended is forgotten oldest first.
CREATE INDEX suppression_expired ON suppression (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX owner_term_ended ON owner_term (ended_at) WHERE ended_at IS NOT NULL;
