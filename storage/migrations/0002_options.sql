-- What a message carries beyond its text, and why a message waits.

-- What few messages ask for: vendor TLVs, a send window, an exemption. NULL for most. Writer: gateway.accept.
ALTER TABLE message ADD COLUMN options jsonb;
ALTER TABLE message ADD COLUMN priority smallint NOT NULL DEFAULT 5;   -- 0 highest .. 9

-- gateway/dispatch/holds.py: why `not_before` is set. Writer: gateway.
ALTER TABLE outbox ADD COLUMN hold smallint NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN batch_id bigint;
ALTER TABLE outbox ADD COLUMN priority smallint NOT NULL DEFAULT 5;
