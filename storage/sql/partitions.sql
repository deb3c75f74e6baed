-- name: lock_partitions
-- Two nodes may do this day's work at once; held to the end of the transaction.
SELECT pg_advisory_xact_lock(7164302);

-- name: existing_partitions
-- Leaves of the given parents, also those whose concurrent detaching was cut short.
SELECT parent.relname AS parent, leaf.relname AS leaf, inherits.inhdetachpending AS detaching
FROM pg_inherits inherits
JOIN pg_class leaf ON leaf.oid = inherits.inhrelid
JOIN pg_class parent ON parent.oid = inherits.inhparent
WHERE parent.oid = ANY ($1::regclass[])
ORDER BY leaf.relname;

-- name: detached_partitions
-- Tables that were leaves of the given one, of days before the leaf named.
SELECT leaf.relname AS leaf
FROM pg_class leaf
JOIN pg_class parent ON parent.relnamespace = leaf.relnamespace
WHERE parent.oid = $1::regclass AND leaf.relkind = 'r' AND NOT leaf.relispartition
  AND leaf.relname ~ ('^' || parent.relname || '_[0-9]{8}$') AND leaf.relname < $2
ORDER BY leaf.relname;
