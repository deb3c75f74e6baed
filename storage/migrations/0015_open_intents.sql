-- The last look and the intent in one statement, for the usual case that nothing stands in the way.

-- The lock that every intent shares and whoever stops messages takes alone: gateway/control.
CREATE FUNCTION control_lock() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 7307061102';

-- Names messages in intents unless anything has to be looked at more closely: then it writes nothing and answers false.
-- Intent i has the next sizes[i] of the messages. A statement in a function sees what was committed before that
-- statement, so what is asked after the lock is what whoever held it alone has left.
CREATE FUNCTION open_intents(
    term bigint, intents bigint[], connectors smallint[], sizes integer[], messages bigint[], recipients bytea[],
    accounts smallint[], categories smallint[], batches bigint[]
) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    first integer := 1;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(control_lock());
    IF EXISTS (SELECT 1 FROM batch_control WHERE id = ANY(batches) AND state <> 0)
        OR EXISTS (SELECT 1 FROM message_cancel)
        OR EXISTS (
            SELECT 1
            FROM unnest(recipients, accounts, categories) AS named (to_idx, account, category)
            JOIN suppression AS s ON s.to_idx = named.to_idx
            WHERE s.account IN (0, named.account) AND s.category IN (-1, named.category)
              AND (s.expires_at IS NULL OR s.expires_at > now())
        )
    THEN
        RETURN false;
    END IF;
    FOR i IN 1 .. array_length(intents, 1) LOOP
        INSERT INTO submit_intent (id, owner, connector, message_ids)
        VALUES (intents[i], term, connectors[i], messages[first : first + sizes[i] - 1]);
        first := first + sizes[i];
    END LOOP;
    RETURN true;
END;
$$;
