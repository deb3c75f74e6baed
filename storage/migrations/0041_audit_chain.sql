-- The audit becomes a chain: each row's hash covers the row before it, so that no row can be changed, taken out or put in
-- without a trace. What may have to be erased of a row stands beside the chain; the chain covers a commitment to it.

ALTER TABLE audit
    ADD COLUMN seq bigint,                            -- 1, 2, 3 … without a gap; NULL: written by the release before
    ADD COLUMN salt bytea,                            -- 16 random octets; NULL: nothing to commit to, or erased
    ADD COLUMN text text,                             -- the reason that was given
    ADD COLUMN subject_hash bytea,                    -- commitment to subject
    ADD COLUMN text_hash bytea,                       -- commitment to text
    ADD COLUMN hash bytea;                            -- storage/audit_chain.py
CREATE UNIQUE INDEX audit_seq ON audit (seq);
CREATE INDEX audit_unlinked ON audit (id) WHERE seq IS NULL;
CREATE INDEX audit_of_account ON audit (account, id);

-- The end of the chain, and where its beginning was cut off. Locked last in a transaction. Writer: storage.
CREATE TABLE audit_head (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    seq       bigint NOT NULL,                        -- of the last row; 0: there is none
    hash      bytea NOT NULL,
    cut_seq   bigint NOT NULL,                        -- of the last row that retention took away
    cut_hash  bytea NOT NULL
) WITH (fillfactor = 10);
INSERT INTO audit_head VALUES (true, 0, decode(repeat('00', 32), 'hex'), 0, decode(repeat('00', 32), 'hex'));

-- What a transaction wants to append, one row for each batch. It is gone before the commit: nobody else sees it. The J of
-- an entry is head, seq and tail. Writer: storage.
CREATE TABLE audit_batch (
    batch          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ids            bigint[] NOT NULL,
    accounts       smallint[] NOT NULL,
    actors         text[] NOT NULL,
    actions        text[] NOT NULL,
    subjects       bytea[] NOT NULL,
    salts          bytea[] NOT NULL,
    texts          text[] NOT NULL,
    details        text[] NOT NULL,
    subject_hashes bytea[] NOT NULL,
    text_hashes    bytea[] NOT NULL,
    heads          text[] NOT NULL,
    tails          text[] NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01);

-- No time is spent on making it small or on keeping it.
ALTER TABLE audit_batch SET UNLOGGED;
ALTER TABLE audit_batch
    ALTER COLUMN ids SET STORAGE EXTERNAL, ALTER COLUMN accounts SET STORAGE EXTERNAL,
    ALTER COLUMN actors SET STORAGE EXTERNAL, ALTER COLUMN actions SET STORAGE EXTERNAL,
    ALTER COLUMN subjects SET STORAGE EXTERNAL, ALTER COLUMN salts SET STORAGE EXTERNAL,
    ALTER COLUMN texts SET STORAGE EXTERNAL, ALTER COLUMN details SET STORAGE EXTERNAL,
    ALTER COLUMN subject_hashes SET STORAGE EXTERNAL, ALTER COLUMN text_hashes SET STORAGE EXTERNAL,
    ALTER COLUMN heads SET STORAGE EXTERNAL, ALTER COLUMN tails SET STORAGE EXTERNAL;

-- Runs at the COMMIT: so nothing is locked after the head, and two transactions cannot wait for each other here. What
-- stands already is skipped: a batch is repeated after a commit in doubt.
CREATE FUNCTION audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last_seq  bigint;
    last_hash bytea;
    stored    bigint[];
    entry     record;
    places    bigint[] := '{}';
    hashes    bytea[] := '{}';
BEGIN
    SELECT h.seq, h.hash INTO last_seq, last_hash FROM audit_head AS h FOR UPDATE;
    SELECT coalesce(array_agg(a.id), '{}') INTO stored FROM audit AS a WHERE a.id = ANY(NEW.ids);
    FOR entry IN SELECT * FROM unnest(NEW.ids, NEW.heads, NEW.tails) AS given (id, head, tail)
    LOOP
        IF entry.id = ANY(stored) THEN
            places := places || NULL::bigint;
            hashes := hashes || NULL::bytea;
        ELSE
            last_seq := last_seq + 1;
            last_hash := sha256(
                '\x736d73676174652e61756469742e310a'::bytea || last_hash
                || convert_to(entry.head || last_seq || entry.tail, 'UTF8')
            );
            places := places || last_seq;
            hashes := hashes || last_hash;
        END IF;
    END LOOP;
    INSERT INTO audit
        (id, account, actor, action, subject, detail, seq, salt, text, subject_hash, text_hash, hash)
    SELECT id, account, actor, action, subject, detail::jsonb, seq, salt, reason, subject_hash, text_hash, hash
    FROM unnest(
        NEW.ids, NEW.accounts, NEW.actors, NEW.actions, NEW.subjects, NEW.details, places, NEW.salts, NEW.texts,
        NEW.subject_hashes, NEW.text_hashes, hashes
    ) AS given (
        id, account, actor, action, subject, detail, seq, salt, reason, subject_hash, text_hash, hash
    )
    WHERE seq IS NOT NULL;
    UPDATE audit_head SET seq = last_seq, hash = last_hash;
    DELETE FROM audit_batch WHERE batch = NEW.batch;
    RETURN NULL;
END;
$$;
CREATE CONSTRAINT TRIGGER audit_batch_linked AFTER INSERT ON audit_batch DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION audit_link();
