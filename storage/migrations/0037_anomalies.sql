-- Anomalies: what was found to be unlike other days, and up to which quarter of an hour was looked.

-- One row for each alarm, with all that it rests on. Writer: dlr.
CREATE TABLE anomaly (
    id       bigint NOT NULL PRIMARY KEY,             -- time-ordered (storage/ids.py): when it was found
    detector text NOT NULL,                           -- drop | silence | latency | surge | reason | complaints
    scope    text NOT NULL,                           -- connector | operator | campaign | sender
    subject  text NOT NULL,                           -- as of a breaker
    account  smallint,                                -- whose campaign or sender
    about    text,                                    -- the reason that rises; answer or receipt, of a latency
    began_at timestamptz NOT NULL,                    -- the first moment of what was counted
    finding  jsonb NOT NULL,                          -- dlr/anomalies/detectors.py
    opened   boolean NOT NULL DEFAULT false           -- whether a breaker opened by it
);

-- The last quarter that was looked at; one process at a time looks. Writer: dlr.
CREATE TABLE anomaly_state (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    quarter   integer NOT NULL                        -- as in rollup_cell
);
INSERT INTO anomaly_state (quarter) VALUES (0);
