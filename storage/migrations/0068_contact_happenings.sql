-- What the gateway itself knows of contacts becomes events, too: named where it becomes true, and made by a cursor.

-- What may have become of contacts, one row for each transaction that made it so. Gone when the events are made.
-- Writer: campaigns.
CREATE TABLE contact_event_due (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what smallint NOT NULL,                           -- campaigns/events/naming.py
    at   timestamptz NOT NULL DEFAULT now(),
    ids  bigint[] NOT NULL                            -- of messages, clicks … as `what` says
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- Of what there are events: none is made twice. Partitioned by the day of the source's id. Writer: campaigns.
CREATE TABLE contact_event_source (
    source bigint NOT NULL,                           -- the id of a message, a click …
    what   smallint NOT NULL,                         -- as in contact_event_due
    PRIMARY KEY (source, what)
) PARTITION BY RANGE (source);

-- What an event was made of, as in contact_event_due. NULL: the account told it.
ALTER TABLE contact_event ADD COLUMN what smallint;

-- Whether an event of this kind is something that a contact did, out of interest. What only arrived is not, nor what ends
-- interest.
CREATE FUNCTION contact_did(kind text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT kind <> 'delivered' AND kind NOT LIKE '%\_delivered' AND kind NOT IN ('failed', 'opted_out', 'complaint')
$$;
