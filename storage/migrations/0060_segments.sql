-- Segments: which contacts are meant.

-- An id is time-ordered (storage/ids.py): when the segment was made. Writer: campaigns.
CREATE TABLE segment (
    id         bigint NOT NULL PRIMARY KEY,
    account    smallint NOT NULL,
    name       text NOT NULL,                         -- other segments refer to it by this
    source     text,                                  -- in the language of segments; NULL: static, it has members
    refers_to  text[] NOT NULL DEFAULT '{}',          -- names of the segments that `source` refers to
    note       text,                                  -- what it is for
    version    integer NOT NULL DEFAULT 1,            -- one more for each change
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    counted    jsonb                                  -- the last preview: what was counted, of which version, when
);
CREATE UNIQUE INDEX segment_name ON segment (account, name);
CREATE INDEX segment_listed ON segment (account, id);

-- Who is in a static segment. Writer: campaigns.
CREATE TABLE segment_member (
    segment bigint NOT NULL REFERENCES segment ON DELETE CASCADE,
    contact bigint NOT NULL REFERENCES contact ON DELETE CASCADE,
    PRIMARY KEY (segment, contact)
);
CREATE INDEX segment_member_contact ON segment_member (contact);
