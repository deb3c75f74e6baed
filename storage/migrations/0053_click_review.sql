-- Which days of clicks were judged by which version of the rules. Writer: shortlinks.
CREATE TABLE click_review (
    rules   smallint NOT NULL,
    day     date NOT NULL,
    clicks  bigint NOT NULL,                          -- looked at
    changed bigint NOT NULL,                          -- got another class or other reasons
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (rules, day)
);

-- What a user agent spoke for, as a click's verdict has it: class and reason. Only `ua_not_a_browser` names no machine,
-- and so leaves the class to others.
CREATE FUNCTION agent_in_force(class smallint, reasons text[]) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN reasons[1] = 'ua_not_a_browser' THEN ARRAY['5', reasons[1]]
        WHEN starts_with(reasons[1], 'ua_') THEN ARRAY[class::text, reasons[1]]
        ELSE ARRAY['1', '']
    END
$$;
CREATE INDEX click_agent_kept ON click (id) WHERE agent IS NULL;
