-- Contacts: the people that an account may write to, as it knows them.

-- An id is time-ordered (storage/ids.py): when the contact was made. Writer: campaigns.
CREATE TABLE contact (
    id          bigint NOT NULL PRIMARY KEY,
    account     smallint NOT NULL,
    external_id text,                                 -- as the account calls them; NULL: not at all
    attrs       jsonb NOT NULL DEFAULT '{}',          -- attribute_def.name -> value; what is not known has no key
    tags        integer[] NOT NULL DEFAULT '{}',      -- tag_def.id, ascending
    source      text,                                 -- where the contact comes from
    time_zone   text,                                 -- an IANA name; NULL: that of the number
    merged_into bigint,                               -- the contact that this one became part of; NULL: it is one itself
    revision    integer NOT NULL DEFAULT 1,           -- one more for each change
    updated_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX contact_external_id ON contact (account, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX contact_listed ON contact (account, id) WHERE merged_into IS NULL;
CREATE INDEX contact_tags ON contact USING gin (tags);
CREATE INDEX contact_merged ON contact (merged_into) WHERE merged_into IS NOT NULL;

-- A number is one contact's in an account. The contacts here are not merged into others. Writer: campaigns.
CREATE TABLE contact_number (
    account smallint NOT NULL,
    to_idx  bytea NOT NULL,
    to_enc  bytea NOT NULL,
    contact bigint NOT NULL,
    rank    smallint NOT NULL,                        -- 0 is texted; each rank is there once, and 0 comes first
    PRIMARY KEY (account, to_idx)
);
CREATE INDEX contact_number_contact ON contact_number (contact, rank);

-- What an account may know of its contacts. Values in contact.attrs, by type: text a string; number a number; money an
-- integer of millionths; date "2026-11-11"; instant "2026-11-11T02:00:00.000Z"; bool true or false; set an ascending list
-- of strings. Writer: campaigns.
CREATE TABLE attribute_def (
    account  smallint NOT NULL,
    name     text NOT NULL,
    type     text NOT NULL,                           -- text | number | money | date | instant | bool | set
    label    text,                                    -- in the words of the account's people
    personal boolean NOT NULL DEFAULT true,           -- it may say who somebody is
    PRIMARY KEY (account, name)
);

-- What contacts are tagged with. Writer: campaigns.
CREATE TABLE tag_def (
    id       integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    account  smallint NOT NULL,
    name     text NOT NULL,
    label    text,                                    -- in the words of the account's people
    personal boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account, name)
);
