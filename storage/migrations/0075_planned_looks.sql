-- An experiment may have a few looks that are planned beforehand. Each is taken once, and keeps what it was judged by.

ALTER TABLE experiment_look
    ALTER COLUMN lambda DROP NOT NULL,                -- NULL: the look was a planned one
    ADD COLUMN ordinal smallint,                      -- of a planned look, from 1; NULL: of a test that has no number of looks
    ADD COLUMN bound   double precision;              -- what |z| had to reach there; NULL: nobody could be judged

CREATE UNIQUE INDEX experiment_look_ordinal ON experiment_look (campaign, ordinal) WHERE ordinal IS NOT NULL;
