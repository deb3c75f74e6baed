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
