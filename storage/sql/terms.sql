-- name: term_is_live
-- Neither ended nor condemned by a fence that is under way (expires_at = -infinity).
SELECT EXISTS (
    SELECT FROM owner_term WHERE term = $1 AND ended_at IS NULL AND expires_at > '-infinity'
);

-- name: acquire_term
-- The lowest free node. No row when another process took it at the same moment, or when none is free.
INSERT INTO owner_term (node, host, pid, pid_started, expires_at)
SELECT min(candidate), $1, $2, $3, clock_timestamp() + $4::interval
FROM generate_series(0, 255) candidate
WHERE NOT EXISTS (
    SELECT FROM owner_term held WHERE held.node = candidate AND held.ended_at IS NULL
)
HAVING min(candidate) IS NOT NULL
ON CONFLICT (node) WHERE ended_at IS NULL DO NOTHING
RETURNING node, term;

-- name: nodes_held
SELECT count(*) FROM owner_term WHERE ended_at IS NULL;

-- name: renew_term
-- Answers with how many terms are held, this one among them, and with the time here.
UPDATE owner_term SET expires_at = clock_timestamp() + $2::interval
WHERE term = $1 AND ended_at IS NULL AND expires_at > '-infinity'
RETURNING (SELECT count(*) FROM owner_term WHERE ended_at IS NULL) AS held, clock_timestamp() AS now;

-- name: release_term
UPDATE owner_term SET ended_at = clock_timestamp() WHERE term = $1 AND ended_at IS NULL;

-- name: open_terms
SELECT term, host, pid, pid_started, expires_at < clock_timestamp() AS expired
FROM owner_term WHERE ended_at IS NULL ORDER BY term;

-- name: terms_not_beyond
-- No renewal reaches further than $1. What does was written before the clock was set back, and would keep a dead
-- process's work from the others until then.
UPDATE owner_term SET expires_at = clock_timestamp() + $1::interval
WHERE ended_at IS NULL AND expires_at > clock_timestamp() + $1::interval;

-- name: condemn_term
-- First step of fencing: from here on the term is neither renewed nor given new sessions.
UPDATE owner_term SET expires_at = '-infinity' WHERE term = $1 AND ended_at IS NULL;

-- name: terminate_sessions
-- Ends what is left of a term's sessions in this database, waits a second for each, and tells how many there were.
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 1000) IS NOT NULL)
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND (application_name = $1 OR starts_with(application_name, $1 || ':'));

-- name: terms_purge
DELETE FROM owner_term
WHERE term IN (
    SELECT term FROM owner_term
    WHERE ended_at < $1
    ORDER BY ended_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);
