-- How the text of a message from a handset was read, where its data_coding alone does not say (smpp/decoding.py): gsm7,
-- utf8, latin1, … Null for all others.
ALTER TABLE inbound_message ADD COLUMN read_as text;
