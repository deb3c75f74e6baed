-- Imports of contacts: what was asked for, how far each is, and what became of each row.

-- Writer: campaigns.
CREATE TABLE import_job (
    id          bigint NOT NULL PRIMARY KEY,          -- time-ordered (storage/ids.py)
    account     smallint NOT NULL,
    actor       text NOT NULL,                        -- "key 7"
    sha256      bytea,                                -- of the file; NULL: it is not whole yet
    bytes       bigint NOT NULL DEFAULT 0,
    asks        bytea NOT NULL,                       -- SHA-256 of mapping, mode and dry_run
    format      text NOT NULL,                        -- csv | ndjson | xlsx
    encoding    text,                                 -- utf-8 | utf-16 | gb18030
    mapping     jsonb NOT NULL,
    mode        text NOT NULL,                        -- fill | overwrite | skip
    dry_run     boolean NOT NULL,
    state       text NOT NULL,                        -- receiving | waiting | running | done | failed | undoing | undone
    detail      text,                                 -- why it failed
    term        bigint,                               -- whose process is at it
    rows_read   integer NOT NULL DEFAULT 0,
    counts      jsonb NOT NULL DEFAULT '{}',          -- verdict or code -> rows
    ignored     text[] NOT NULL DEFAULT '{}',         -- columns that the mapping leaves out
    touched_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
) WITH (fillfactor = 50);
-- The same file, asked for the same way, is one import, until that is undone.
CREATE UNIQUE INDEX import_job_file ON import_job (account, sha256, asks) WHERE sha256 IS NOT NULL AND state <> 'undone';
CREATE INDEX import_job_listed ON import_job (account, id);
CREATE INDEX import_job_open ON import_job (id) WHERE state IN ('receiving', 'waiting', 'running', 'undoing');

-- The octets of a file, until its import has ended. Sealed, and bound to the piece's id. Writer: campaigns.
CREATE TABLE import_piece (
    id         bigint NOT NULL PRIMARY KEY,           -- ascending within a file
    job        bigint NOT NULL,
    octets_enc bytea NOT NULL
);
ALTER TABLE import_piece ALTER COLUMN octets_enc SET STORAGE EXTERNAL;
CREATE INDEX import_piece_job ON import_piece (job, id);

-- What became of the rows of a file. Writer: campaigns.
CREATE TABLE import_row (
    job      bigint NOT NULL,                         -- as an id of import_job; a day is a range of them
    line     integer NOT NULL,                        -- in a workbook the row
    verdict  smallint NOT NULL,                       -- campaigns/contacts/verdicts.py
    codes    text[],                                  -- NULL: none
    shown    text,                                    -- the number, masked
    contact  bigint,                                  -- NULL: none was changed or found
    revision integer,                                 -- of the contact, after this row
    before   jsonb,                                   -- of what this row changed; undo reads it
    PRIMARY KEY (job, line)
) PARTITION BY RANGE (job);
CREATE INDEX import_row_contact ON import_row (contact) WHERE contact IS NOT NULL;

-- Which import brought a number. The writer of `contact_number` stays.
ALTER TABLE contact_number ADD COLUMN job bigint;

-- The contacts with one of these numbers, and those merged into them. NULL: of all accounts; made or brought at any time.
CREATE FUNCTION contacts_of(indexes bytea[], accounts smallint[], before bigint) RETURNS TABLE (id bigint)
LANGUAGE sql STABLE AS $$
    WITH whose AS (
        SELECT DISTINCT n.contact FROM contact_number AS n
        WHERE n.to_idx = ANY(indexes) AND (accounts IS NULL OR n.account = ANY(accounts))
          AND (before IS NULL OR n.contact < before OR n.job < before)
    )
    SELECT w.contact FROM whose AS w
    UNION
    SELECT c.id FROM contact AS c JOIN whose AS w ON c.merged_into = w.contact
$$;
