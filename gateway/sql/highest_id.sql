-- name: highest_id
-- Of all ids ever made here that are still stored; each branch reads one end of one index per partition.
SELECT greatest(
    (SELECT max(id) FROM message),
    (SELECT max(id) FROM submission),
    (SELECT max(id) FROM event),
    (SELECT max(id) FROM click),
    (SELECT max(id) FROM link),
    (SELECT max(id) FROM template_version),
    (SELECT max(id) FROM inbound_message),
    (SELECT max(id) FROM inbound_part),
    (SELECT max(id) FROM submit_intent),
    (SELECT max(id) FROM contact),
    (SELECT max(id) FROM contact_event),
    (SELECT max(id) FROM import_job),
    (SELECT max(id) FROM import_piece),
    -- Only the first of a request's ids is in its row; all of them are of this millisecond or the next.
    (SELECT max(first_id) + (1 << 22) FROM idempotency),
    (SELECT max(first_id) + (1 << 22) FROM campaign_chunk),
    (SELECT max(id) FROM campaign)
);
