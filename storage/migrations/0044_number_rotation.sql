-- Another number key without a pause: how far the change is, and what each process knows of it.

-- The one change that runs, or the last. Writer: storage.
CREATE TABLE number_rotation (
    singleton        boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    phase            smallint NOT NULL,               -- storage/key_rotation.py; 0: none runs
    from_fingerprint text NOT NULL,
    to_fingerprint   text NOT NULL,
    carried_enc      bytea NOT NULL,                  -- keys of the first that the next goes on using, encrypted
    pass             smallint NOT NULL DEFAULT 1,     -- through the tables; the last one moves nothing
    keeps_index      boolean NOT NULL DEFAULT false,  -- rows are left under an earlier key: it is looked up for good
    started_at       timestamptz NOT NULL DEFAULT now(),
    changed_at       timestamptz NOT NULL DEFAULT now()
);

-- How far each table is in this pass. Whoever is at it holds the row. Writer: storage.
CREATE TABLE number_rewrite (
    name       text PRIMARY KEY,
    place      bytea,                                 -- of the last row looked at, as JSON
    rows_moved bigint NOT NULL DEFAULT 0,             -- in all passes
    pass_moved bigint NOT NULL DEFAULT 0,
    rows_left  bigint NOT NULL DEFAULT 0,             -- in this pass: whose number nothing tells
    done       boolean NOT NULL DEFAULT false
);

-- What a process does about the change: 1 looks up both, 2 writes the next. And since when, by this server's clock.
ALTER TABLE owner_term ADD COLUMN number_key smallint NOT NULL DEFAULT 0, ADD COLUMN number_key_at timestamptz;
