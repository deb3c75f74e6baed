-- name: reply_counts
-- Replies and complaints about the messages of an account with $1 <= id < $2, grouped by the keys whose flag is true.
-- A reply belongs to the message it answers and counts whenever it comes. Delivered as dlr's report has it: the replies
-- of a rate are a part of what it divides by. Of several replies of one class to one message one counts in a rate.
-- What ended by a message's opt-out page is on record in the audit alone. It stays one when it is taken back, as a word does.
WITH replied AS (
    SELECT answers AS message_id, count(*) AS replies,
           count(*) FILTER (WHERE class = 'opt_out') AS opt_out, count(*) FILTER (WHERE class = 'opt_in') AS opt_in,
           count(*) FILTER (WHERE class = 'help') AS help, count(*) FILTER (WHERE class = 'keyword') AS keyword,
           count(*) FILTER (WHERE class = 'rating') AS rating, count(*) FILTER (WHERE class = 'other') AS other
    FROM (
        SELECT answers, coalesce(class, keyword, 'other') AS class
        FROM inbound_message
        WHERE account = $3 AND id >= $1 AND answers >= $1 AND answers < $2
    ) AS i
    GROUP BY answers
), complained AS (
    SELECT message_id, count(*) AS complaints
    FROM complaint
    WHERE account = $3 AND message_id >= $1 AND message_id < $2
    GROUP BY message_id
), pressed AS (
    SELECT DISTINCT (detail ->> 'message_id')::bigint AS message_id
    FROM audit
    WHERE account = $3 AND id >= $1 AND actor = 'page' AND action = 'suppression.add'
      AND (detail ->> 'message_id')::bigint >= $1 AND (detail ->> 'message_id')::bigint < $2
), named AS (
    SELECT message_id FROM replied UNION SELECT message_id FROM complained UNION SELECT message_id FROM pressed
), part AS (
    SELECT message_id, part, max(parts) FILTER (WHERE NOT replaced) AS parts,
           max(status::int * 256 + reason) FILTER (WHERE NOT replaced) AS code,
           bool_or(submitted_at IS NOT NULL OR status IN (5, 15)) AS sent
    FROM submission
    WHERE id >= $1 AND message_id IN (SELECT message_id FROM named)
    GROUP BY message_id, part
), folded AS (
    SELECT message_id, bool_or(sent) AS sent,
           count(*) FILTER (WHERE code / 256 = 60) = max(parts) AND NOT bool_or(code / 256 NOT IN (10, 60)) AS delivered,
           CASE WHEN bool_or(code / 256 = 5) THEN 5
                ELSE coalesce(max(code) FILTER (WHERE code / 256 NOT IN (10, 60)) / 256, 60)
           END AS status
    FROM part
    GROUP BY message_id
), decided AS (
    -- The submission that decided, as in the delivery report.
    SELECT DISTINCT ON (s.message_id) s.message_id, s.connector
    FROM submission AS s
    JOIN folded AS f ON f.message_id = s.message_id
    WHERE $8 AND s.id >= $1
    ORDER BY s.message_id, s.replaced, s.status = f.status DESC, s.status DESC, s.reason DESC, s.receipt_at, s.id
), told AS (
    SELECT m.category, m.campaign_id, m.variant, m.sender,
           coalesce(nullif(d.connector, 0), m.connector) AS connector,
           coalesce(f.sent, false) AS sent,
           coalesce(f.delivered, false) AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.id = m.id) AS delivered,
           r.replies, r.opt_out, r.opt_in, r.help, r.keyword, r.rating, r.other, c.complaints,
           p.message_id IS NOT NULL AS pressed, p.message_id IS NOT NULL OR r.opt_out > 0 AS unsubscribed
    FROM named AS n
    JOIN message AS m ON m.id = n.message_id
    LEFT JOIN folded AS f ON f.message_id = m.id
    LEFT JOIN decided AS d ON d.message_id = m.id
    LEFT JOIN replied AS r ON r.message_id = m.id
    LEFT JOIN complained AS c ON c.message_id = m.id
    LEFT JOIN pressed AS p ON p.message_id = m.id
    WHERE m.id >= $1 AND m.id < $2 AND m.account = $3 AND m.connector <> -1  -- the sandbox
)
SELECT CASE WHEN $4::boolean THEN category END AS category,
       CASE WHEN $5::boolean THEN campaign_id END AS campaign,
       CASE WHEN $6::boolean THEN variant END AS variant,
       CASE WHEN $7::boolean THEN sender END AS sender,
       CASE WHEN $8::boolean THEN connector END AS connector,
       coalesce(sum(replies), 0)::bigint AS replies,
       coalesce(sum(opt_out), 0)::bigint AS opt_out,
       coalesce(sum(opt_in), 0)::bigint AS opt_in,
       coalesce(sum(help), 0)::bigint AS help,
       coalesce(sum(keyword), 0)::bigint AS keyword,
       coalesce(sum(rating), 0)::bigint AS rating,
       coalesce(sum(other), 0)::bigint AS other,
       coalesce(sum(complaints), 0)::bigint AS complaints,
       count(*) FILTER (WHERE pressed) AS opt_outs_by_page,
       count(*) FILTER (WHERE sent AND unsubscribed) AS unsubscribed_sent,
       count(*) FILTER (WHERE delivered AND unsubscribed) AS unsubscribed_delivered,
       count(*) FILTER (WHERE delivered AND replies > 0) AS replied_delivered,
       count(*) FILTER (WHERE delivered AND opt_out > 0) AS opt_out_delivered,
       count(*) FILTER (WHERE delivered AND opt_in > 0) AS opt_in_delivered,
       count(*) FILTER (WHERE delivered AND help > 0) AS help_delivered,
       count(*) FILTER (WHERE delivered AND keyword > 0) AS keyword_delivered,
       count(*) FILTER (WHERE delivered AND rating > 0) AS rating_delivered,
       count(*) FILTER (WHERE delivered AND other > 0) AS other_delivered,
       count(*) FILTER (WHERE delivered AND complaints > 0) AS complained_delivered
FROM told
GROUP BY 1, 2, 3, 4, 5;
