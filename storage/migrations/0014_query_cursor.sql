-- How far carriers were asked about parts without a receipt, so that each is asked about once whatever runs when.

-- One row per connector that is asked. Moved on before the questions are written. Writer: gateway.dispatch.
CREATE TABLE query_cursor (
    connector     smallint NOT NULL PRIMARY KEY,
    submission_id bigint NOT NULL                     -- the last part that was dealt with
);
