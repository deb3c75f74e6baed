-- name: rollup_cells_folded
-- The cells that were folded, with how many messages each has.
SELECT quarter, account, category, connector, sender, country, operator, campaign, variant,
       sum(weight)::bigint AS messages
FROM rollup_grouped
WHERE key IS NULL
GROUP BY quarter, account, category, connector, sender, country, operator, campaign, variant;

-- name: rollup_names
SELECT id, kind, name
FROM rollup_name
JOIN unnest($1::smallint[], $2::text[]) AS wanted (kind, name) USING (kind, name);

-- name: rollup_names_put
INSERT INTO rollup_name (kind, name)
SELECT * FROM unnest($1::smallint[], $2::text[])
RETURNING id, kind, name;

-- name: rollup_keys
SELECT id, account, category, connector, sender, country, operator, campaign, variant
FROM rollup_key
JOIN unnest(
    $1::smallint[], $2::smallint[], $3::smallint[], $4::integer[], $5::smallint[], $6::smallint[], $7::integer[],
    $8::integer[]
) AS wanted (account, category, connector, sender, country, operator, campaign, variant)
    USING (account, category, connector, sender, country, operator, campaign, variant);

-- name: rollup_keys_put
INSERT INTO rollup_key (account, category, connector, sender, country, operator, campaign, variant)
SELECT * FROM unnest(
    $1::smallint[], $2::smallint[], $3::smallint[], $4::integer[], $5::smallint[], $6::smallint[], $7::integer[],
    $8::integer[]
)
RETURNING id, account, category, connector, sender, country, operator, campaign, variant;

-- name: rollup_cells_there
SELECT quarter, key
FROM rollup_cell
JOIN unnest($1::integer[], $2::integer[]) AS wanted (quarter, key) USING (quarter, key);

-- name: rollup_cells_of_day
SELECT count(*) FROM rollup_cell WHERE quarter >= $1 AND quarter < $2;

-- name: rollup_placed_put
INSERT INTO rollup_placed
SELECT * FROM unnest(
    $1::integer[], $2::smallint[], $3::smallint[], $4::smallint[], $5::text[], $6::smallint[], $7::smallint[],
    $8::text[], $9::text[], $10::integer[]
);

-- name: rollup_errors_folded
SELECT quarter / 96 AS day, connector, error, sum(weight)::bigint AS messages
FROM rollup_grouped
WHERE error <> ''
GROUP BY quarter / 96, connector, error;

-- name: rollup_codes_of_day
-- Which codes each connector has on a day ($1 <= quarter < $2).
SELECT DISTINCT k.connector, r.code
FROM rollup_reason AS r
JOIN rollup_key AS k ON k.id = r.key
WHERE r.quarter >= $1 AND r.quarter < $2 AND r.code > 0;

-- name: rollup_coded_put
INSERT INTO rollup_coded SELECT * FROM unnest($1::integer[], $2::smallint[], $3::text[], $4::integer[]);

-- name: rollup_tags_folded
SELECT f.quarter / 96 AS day, f.account, tag, count(*) AS messages
FROM rollup_folded AS f
CROSS JOIN LATERAL unnest(f.tags) AS tag
WHERE f.tags IS NOT NULL
GROUP BY f.quarter / 96, f.account, tag;

-- name: rollup_tags_of_day
SELECT DISTINCT account, tag FROM rollup_tag WHERE quarter >= $1 AND quarter < $2 AND tag > 0;

-- name: rollup_tagged_put
INSERT INTO rollup_tagged SELECT * FROM unnest($1::integer[], $2::smallint[], $3::text[], $4::integer[]);
