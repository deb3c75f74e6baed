-- Why a message may be something else than what a handset wrote (gateway/unclear.py): `unreadable`, a receipt that names
-- no message. Null for all others.
ALTER TABLE inbound_message ADD COLUMN unclear text;

-- Of a parked receipt: the carrier's word for its state, where nobody knows it, for the timeline of the message it is
-- about; and the submission that something else than an id points to, which may not be stored yet.
ALTER TABLE unmatched_receipt ADD COLUMN unknown_state text, ADD COLUMN reference_id bigint;
