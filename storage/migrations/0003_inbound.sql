-- Messages from handsets, the parts of those that are not whole yet, and what they lead to.

-- Insert-only. id is time-ordered and so says when the last of the message reached us. Writer: gateway.inbound.
CREATE TABLE inbound_message (
    id            bigint NOT NULL PRIMARY KEY,
    connector     smallint NOT NULL,
    account       smallint NOT NULL,                  -- whose number was texted; 0 = nobody's we know
    from_enc      bytea NOT NULL,                     -- AES-SIV of the handset's number
    from_idx      bytea NOT NULL,                     -- keyed HMAC of it, as in message.to_idx
    destination   text NOT NULL,                      -- the number texted, as the carrier writes it
    text          text NOT NULL,                      -- with a mark for each run of missing parts
    parts         smallint NOT NULL,
    parts_missing smallint NOT NULL DEFAULT 0,
    keyword       text,                               -- opt_out | opt_in, where the whole text is such a word
    answers       bigint,                             -- message.id of the last one sent to it from that number
    fingerprint   bytea NOT NULL                      -- keyed: what the carrier sends again is no second message
) PARTITION BY RANGE (id);
CREATE INDEX inbound_message_account ON inbound_message (account, id);
CREATE INDEX inbound_message_from ON inbound_message (from_idx);
CREATE INDEX inbound_message_fingerprint ON inbound_message (fingerprint);

-- Parts that were answered and whose message is not whole; kept for a while with the message they became part of,
-- so that after a crash too a part that is sent again is known. Writer: gateway.inbound.
CREATE TABLE inbound_part (
    id          bigint NOT NULL PRIMARY KEY,
    owner       bigint NOT NULL,                      -- term that holds it in memory
    connector   smallint NOT NULL,
    from_enc    bytea NOT NULL,
    destination text NOT NULL,
    reference   integer NOT NULL,
    total       smallint NOT NULL,
    sequence    smallint NOT NULL,
    data_coding smallint NOT NULL,
    octets      bytea NOT NULL,
    inbound_id  bigint                                -- the inbound_message it is part of by now
) WITH (autovacuum_vacuum_scale_factor = 0.01);

-- Which messages a number was sent: what an inbound message answers, and GET /v1/numbers. Hash: 4 us of a backend's
-- time per message where a B-tree took 6.
CREATE INDEX message_recipient ON message USING hash (to_idx);
