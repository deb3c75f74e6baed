-- name: end_session
-- Ends a session of ours that we lost, and waits up to five seconds until it is gone.
SELECT pg_terminate_backend(pid, 5000)
FROM pg_stat_activity
WHERE pid = $1 AND usename = current_user AND application_name LIKE 'smsgate:%';
