-- What a reference was used for, so that its use for something else is refused and not taken for a repeat: 8 octets of
-- message_id, then 16 of a keyed hash of recipient, sender, category and text. Other octets in front are of the message
-- before, whose row the release before this one has taken over; NULL or such a row says nothing.
ALTER TABLE client_ref ADD COLUMN fingerprint bytea;
