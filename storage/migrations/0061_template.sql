-- Texts with variables, the versions of each, and what was said about them.

-- Writer: campaigns.
CREATE TABLE template (
    id         bigint NOT NULL PRIMARY KEY,           -- time-ordered (storage/ids.py): when it was made
    account    smallint NOT NULL,
    name       text NOT NULL,
    ended_at   timestamptz                            -- from then on nothing is sent by it
);
CREATE INDEX template_account ON template (account, id);

-- What a version says. A row never changes: whoever was texted by it got this.
-- Writer: campaigns.
CREATE TABLE template_version (
    template   bigint NOT NULL,
    version    integer NOT NULL,                      -- from 1 on
    id         bigint NOT NULL UNIQUE,                -- time-ordered: when it was made
    author     text NOT NULL,                         -- as in audit: key 7
    category   text NOT NULL,
    body       text NOT NULL,
    variables  jsonb NOT NULL,                        -- by name: type, max, source, fallback, form
    signature  text NOT NULL,
    suffix     text NOT NULL,
    link_mode  text NOT NULL,                         -- personal | shared | none
    links      jsonb NOT NULL,                        -- by name: where each leads
    max_parts  smallint NOT NULL,
    providers  text[] NOT NULL,
    lint       jsonb NOT NULL,                        -- what the rules found when it was made
    PRIMARY KEY (template, version)
);

-- What each provider says of a version; its audit rows say what it said before.
-- Writer: campaigns.
CREATE TABLE template_approval (
    template   bigint NOT NULL,
    version    integer NOT NULL,
    provider   text NOT NULL,
    state      text NOT NULL,                         -- submitted | approved | rejected
    provider_id text,                                 -- the template's id there
    reason     text,
    author     text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (template, version, provider)
);

-- Warnings that somebody has answered for.
-- Writer: campaigns.
CREATE TABLE template_waiver (
    template   bigint NOT NULL,
    version    integer NOT NULL,
    rule       text NOT NULL,                         -- as in R11
    reason     text NOT NULL,
    author     text NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (template, version, rule)
);
