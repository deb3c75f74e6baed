-- How many parts a phone gets of one submit_sm: 1, but for a message_payload, which the carrier cuts. `parts` counts the
-- submit_sm of the message, so that its status is complete when each has one; rates and reports count segments.
ALTER TABLE submission ADD COLUMN segments smallint NOT NULL DEFAULT 1;
