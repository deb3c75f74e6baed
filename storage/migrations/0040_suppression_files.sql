-- Imports of suppressions: what was asked for, and how far each is. Writer: recipients.
CREATE TABLE suppression_import (
    id          bigint NOT NULL PRIMARY KEY,          -- time-ordered (storage/ids.py)
    account     smallint NOT NULL,
    actor       text NOT NULL,                        -- "key 7"
    request_key text,                                 -- Idempotency-Key
    wanted      bytea NOT NULL,                       -- SHA-256 of what the request asked for
    format      text NOT NULL,                        -- csv | ndjson
    dry_run     boolean NOT NULL,
    state       text NOT NULL,                        -- running | interrupted | done
    detail      text,                                 -- why it was interrupted
    term        bigint NOT NULL,                      -- whose process runs it
    run         integer NOT NULL,                     -- how often the file was sent; an earlier run writes no more
    rows_read   integer NOT NULL,
    added       integer NOT NULL,
    existing    integer NOT NULL,
    refused     integer NOT NULL,
    refused_by  jsonb NOT NULL,                       -- code -> rows
    ignored     text[] NOT NULL,                      -- columns that are known and not stored
    digest      bytea NOT NULL,                       -- SHA-256 of the rows read
    touched_at  timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE UNIQUE INDEX suppression_import_key ON suppression_import (account, request_key);
CREATE INDEX suppression_import_listed ON suppression_import (account, id);

-- What became of the rows of one step of an import, numbers masked. Writer: recipients.
CREATE TABLE suppression_import_step (
    import_id bigint NOT NULL,
    first_row integer NOT NULL,
    refused   bytea NOT NULL,                         -- JSON, a line each
    taken     bytea NOT NULL,
    PRIMARY KEY (import_id, first_row)
);
