-- What contacts did, as the account tells it, and what is known of each in sum.

-- In the order of their commits: who reads up to a position, with nobody in between, has read all before it.
CREATE SEQUENCE contact_event_position;

-- Events. `id` is time-ordered (storage/ids.py): when it was told. `at` is at most five minutes later than that.
-- Writer: campaigns.
CREATE TABLE contact_event (
    id       bigint NOT NULL PRIMARY KEY,
    account  smallint NOT NULL,
    contact  bigint NOT NULL,
    kind     text NOT NULL,                           -- login, cart_add, order_paid …
    at       timestamptz NOT NULL,
    amount   bigint,                                  -- millionths of a unit of the account's currency; NULL: none
    props    jsonb,
    position bigint NOT NULL DEFAULT nextval('contact_event_position')
) PARTITION BY RANGE (id);
CREATE INDEX contact_event_contact ON contact_event (contact, kind, at);
CREATE INDEX contact_event_position_key ON contact_event (position);

-- Which event took an account's event_id first. Good for 72 hours by the time in `id`. Writer: campaigns.
CREATE TABLE contact_event_ref (
    account     smallint NOT NULL,
    event_id    text NOT NULL,
    id          bigint NOT NULL,
    fingerprint bytea NOT NULL,                       -- of what the event said
    PRIMARY KEY (account, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX contact_event_ref_id ON contact_event_ref (id);

-- What a contact did, by kind. It outlives the events. Writer: campaigns.
CREATE TABLE engagement (
    account  smallint NOT NULL,
    contact  bigint NOT NULL,
    kind     text NOT NULL,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    n        integer NOT NULL,
    PRIMARY KEY (contact, kind)
) WITH (fillfactor = 80);
CREATE INDEX engagement_kind ON engagement (account, kind, last_at);

-- In which hours of their day a contact did something. Writer: campaigns.
CREATE TABLE hour_profile (
    contact bigint NOT NULL PRIMARY KEY,
    account smallint NOT NULL,
    hours   smallint[] NOT NULL                       -- 24 of Monday to Friday, then 24 of the weekend
) WITH (fillfactor = 80);

-- Up to which position events are in engagement and hour_profile. Writer: campaigns.
CREATE TABLE engagement_state (
    only_one bool PRIMARY KEY DEFAULT true CHECK (only_one),
    cursor   bigint NOT NULL
);
INSERT INTO engagement_state (cursor) VALUES (0);
