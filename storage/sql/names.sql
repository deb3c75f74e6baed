-- name: accounts_register
-- NOT EXISTS first: ON CONFLICT alone would use up a number of the sequence at every start.
INSERT INTO account (name)
SELECT name FROM unnest($1::text[]) AS wanted (name)
WHERE NOT EXISTS (SELECT 1 FROM account AS a WHERE a.name = wanted.name)
ON CONFLICT (name) DO NOTHING;

-- name: connectors_register
INSERT INTO connector (name)
SELECT name FROM unnest($1::text[]) AS wanted (name)
WHERE NOT EXISTS (SELECT 1 FROM connector AS c WHERE c.name = wanted.name)
ON CONFLICT (name) DO NOTHING;

-- name: accounts
SELECT id, name FROM account;

-- name: connectors
SELECT id, name FROM connector;
