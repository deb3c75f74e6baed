-- A message that a carrier could not deliver may go once more over another connector of its route: by another way.

-- 0: its first way; n: the n-th after that. `tried`: the connectors of its ways before this one.
ALTER TABLE outbox ADD COLUMN way smallint NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN tried smallint[];

-- Which way a submit belongs to, and whether another way of the message says what the message is.
ALTER TABLE submission ADD COLUMN way smallint NOT NULL DEFAULT 0;
ALTER TABLE submission ADD COLUMN replaced boolean NOT NULL DEFAULT false;
