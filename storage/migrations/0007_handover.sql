-- What waits may be moved to another connector, unless it may have been sent; and what waited too long expires.

-- Written and never answered at some attempt: it stays with its connector, whose receipt may yet tell. Writer: gateway.
ALTER TABLE outbox ADD COLUMN in_doubt boolean NOT NULL DEFAULT false;

-- Only what waits: a message that goes straight into memory costs this index nothing.
CREATE INDEX outbox_expiry ON outbox (expires_at) WHERE owner = 0 AND expires_at IS NOT NULL;
