-- What became an event of a contact may turn out not to have been one: then it is taken back.

-- The event that was made of a click, so that it is found when the click is no person's. NULL: nothing takes that back.
ALTER TABLE contact_event_source ADD COLUMN event bigint;

-- Which contacts their account has listed as opted out, by the events that say so (campaigns/events/naming.py).
CREATE INDEX contact_event_listed ON contact_event (contact) WHERE what = 9;
