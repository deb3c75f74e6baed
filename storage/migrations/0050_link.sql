-- Short links that belong to no message: one address that everybody may have. Writer: shortlinks.
CREATE SEQUENCE link_number;
CREATE TABLE link (
    id         bigint NOT NULL PRIMARY KEY,           -- time-ordered (storage/ids.py): when it was made
    account    smallint NOT NULL,
    domain     text NOT NULL,                         -- host and port that it stands under
    code       text NOT NULL,                         -- six characters of ours, or a slug
    look       text,                                  -- what a slug looks like; NULL: a code of ours
    target     text NOT NULL,
    fallback   text,                                  -- where it leads once it has ended; NULL: 410
    campaign_id text,
    tags       text[] NOT NULL,
    expires_at timestamptz,
    changed_at timestamptz,                           -- of the last change; NULL: as it was made
    deleted_at timestamptz
);
CREATE UNIQUE INDEX link_code ON link (domain, code);
CREATE UNIQUE INDEX link_look ON link (domain, look) WHERE look IS NOT NULL;
CREATE INDEX link_account ON link (account, id);
CREATE INDEX link_ended ON link (least(expires_at, deleted_at)) WHERE least(expires_at, deleted_at) IS NOT NULL;
