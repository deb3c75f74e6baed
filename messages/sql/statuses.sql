-- name: standings
-- Where messages stand. `codes`: of each part the highest of status * 256 + reason. So a part that was submitted again
-- after a doubt is what its best submission is. Of several ways only one counts. A submission is made after its message, so the id bounds the
-- partitions that are looked at.
SELECT wanted.id, o.id IS NOT NULL AS waiting, i.id IS NOT NULL AS intended,
       CASE WHEN o.not_before > now() THEN o.hold END AS hold, o.not_before, b.state AS batch_state, o.in_doubt,
       done.codes, done.parts, done.begun
FROM unnest($1::bigint[]) AS wanted (id)
LEFT JOIN outbox AS o ON o.id = wanted.id
LEFT JOIN batch_control AS b ON b.id = o.batch_id
LEFT JOIN (SELECT DISTINCT unnest(message_ids) AS id FROM submit_intent) AS i ON i.id = wanted.id
CROSS JOIN LATERAL (
    SELECT array_agg(part.code) FILTER (WHERE part.code IS NOT NULL) AS codes, max(part.parts) AS parts,
           count(*) > 0 AS begun
    FROM (
        SELECT max(s.status * 256 + s.reason) FILTER (WHERE NOT s.replaced) AS code,
               max(s.parts) FILTER (WHERE NOT s.replaced) AS parts
        FROM submission AS s
        WHERE s.message_id = wanted.id AND s.id >= wanted.id
        GROUP BY s.part
    ) AS part
) AS done;
