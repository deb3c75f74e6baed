-- The arms of experiments, as campaigns/experiments/assignment.py has them; a test compares the two.

-- Between 0 and 9999: the first 32 bits of SHA-256, scaled. A salt has no backslash, which bytea would read.
-- The cast of contact to text is immutable, and joining it uncast is not: only so the body is inlined, five times as fast.
CREATE FUNCTION experiment_bucket(salt text, contact bigint) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (('x' || left(encode(sha256((salt || '|' || contact::text)::bytea), 'hex'), 8))::bit(32)::bigint * 10000 >> 32)::integer
$$;

-- From 0; -1 is held out of the campaign, -2 of all campaigns. Shares are in ten-thousandths.
-- uppers: the first bucket behind each arm.
CREATE FUNCTION experiment_arm(
    contact bigint, salt text, uppers integer[], holdout integer, global_salt text, global_holdout integer
) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN global_holdout > 0 AND experiment_bucket(global_salt, contact) < global_holdout THEN -2
        WHEN holdout > 0 AND experiment_bucket(salt || '|holdout', contact) < holdout THEN -1
        ELSE width_bucket(experiment_bucket(salt, contact), uppers)
    END
$$;
