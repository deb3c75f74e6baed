-- What carriers have told of a number, one row a day and kind. A delivery is told by the message itself as long as that is
-- kept, and has a row only when it is about to go. Writer: dlr.
CREATE TABLE number_evidence (
    to_idx     bytea NOT NULL,
    account    smallint NOT NULL,
    day        date NOT NULL,                         -- UTC
    kind       text NOT NULL,                         -- d delivered | t temporary | s ambiguous | p prune
    state      smallint NOT NULL DEFAULT 0,           -- 0 counts | 1 waits for a person | 2 undone | 3 a person confirmed it
    reason     smallint NOT NULL,                     -- dlr/reasons.py
    connector  smallint NOT NULL,
    error      text,                                  -- the carrier's own code
    message_id bigint NOT NULL,
    at         timestamptz NOT NULL,                  -- when the first of that day and kind reached us
    to_enc     bytea NOT NULL,
    PRIMARY KEY (to_idx, account, day, kind)
);
CREATE INDEX number_evidence_proofs ON number_evidence (connector, at) WHERE kind = 'p';
CREATE INDEX number_evidence_waiting ON number_evidence (connector) WHERE state = 1;
CREATE INDEX number_evidence_day ON number_evidence (day);

-- A proof lasts half a year from now on, and so do those of before.
UPDATE suppression SET expires_at = created_at + interval '180 days' WHERE source = 'receipt' AND expires_at IS NULL;
