-- Erasures of one person, and how far each is. The number is here as long as rows are still looked for by it.
-- Writer: recipients.
CREATE TABLE person_erasure (
    id           bigint NOT NULL PRIMARY KEY,         -- time-ordered (storage/ids.py): rows of before are erased
    account      smallint,                            -- whose rows; NULL: everybody's, and those of nobody
    number_enc   bytea,                               -- NULL: it is done
    number_idx   bytea,                               -- NULL: it is done
    step         text NOT NULL DEFAULT '',            -- the table that it is at; '': the first one
    place        bigint NOT NULL DEFAULT 0,           -- how far the present one is, where it is walked through
    waits        boolean NOT NULL DEFAULT false,      -- something of the person is still on its way
    counts       jsonb NOT NULL DEFAULT '{}',         -- rows erased, by table
    requested_at timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz
) WITH (fillfactor = 50);
CREATE INDEX person_erasure_open ON person_erasure (id) WHERE finished_at IS NULL;
