-- Stretches in which short links redirected and their clicks could not be kept: reports say so.
-- Writer: shortlinks.
CREATE TABLE click_gap (
    id    bigint PRIMARY KEY,                         -- that of the first click that was lost
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,                       -- the last one so far
    lost  bigint NOT NULL
);
CREATE INDEX click_gap_until ON click_gap (until);
