-- Parts of one inbound message that reached two processes: the one that has its first part is given the others.

-- Handed to `owner` by another process and not yet in its memory. Writer: gateway.inbound.
ALTER TABLE inbound_part ADD COLUMN given boolean NOT NULL DEFAULT false;
