-- The histograms of a UTC day in sum, always up to date with those of its quarters. Twenty days of quarters have a million
-- buckets, and a report would read them all. Writer: dlr.
CREATE TABLE rollup_latency_day (
    day       integer NOT NULL,
    account   smallint NOT NULL,
    category  smallint NOT NULL,
    connector smallint NOT NULL,                      -- this and what follows: as in rollup_latency
    kind      smallint NOT NULL,
    buckets   smallint[] NOT NULL,
    counts    integer[] NOT NULL,
    PRIMARY KEY (day, account, category, connector, kind)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

INSERT INTO rollup_latency_day (day, account, category, connector, kind, buckets, counts)
SELECT day, account, category, connector, kind, array_agg(bucket ORDER BY bucket), array_agg(count ORDER BY bucket)
FROM (
    SELECT day, account, category, connector, kind, bucket, sum(count)::integer AS count
    FROM (
        SELECT quarter / 96 AS day, account, category, connector, kind, unnest(buckets) AS bucket, unnest(counts) AS count
        FROM rollup_latency
    ) AS each
    GROUP BY day, account, category, connector, kind, bucket
) AS summed
GROUP BY day, account, category, connector, kind;
