-- When copies of this database were taken, and whether it is itself made from one.

-- Writer: storage.
CREATE TABLE backup (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taken_at    timestamptz NOT NULL,                 -- the moment that the copy shows
    finished_at timestamptz NOT NULL DEFAULT now(),
    bytes       bigint NOT NULL,                      -- of all files; 0: taken by another tool, and only noted here
    elsewhere   boolean NOT NULL
);

-- One row for each time that this database was made from a backup. Until the newest is accepted no gateway starts.
-- Writer: storage.
CREATE TABLE restoration (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taken_at    timestamptz NOT NULL,                 -- the moment that the backup shows
    restored_at timestamptz NOT NULL DEFAULT now(),
    outbox      text NOT NULL,                        -- hold | resend | drop
    messages    bigint NOT NULL,                      -- that waited in it
    accepted_at timestamptz                           -- the first start that was told to go on
);
