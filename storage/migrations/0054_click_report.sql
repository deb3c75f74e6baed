-- Reports of clicks: which links a message has, found by the message. Ids of one range lie close together.
CREATE INDEX link_range_message ON link_range ((message_ids[1]));

-- The messages of an account with since_id <= id < until_id, with a value for each key whose flag is true. By link a
-- message is there once for each of its links, else once and with slot -1. What went to the sandbox is not there.
-- `quarters`: the first quarter-hour of each unit of time. `first_second`: of ids. `apart`: how far ids of one range lie
-- apart. Its body is put into the statement that asks.
CREATE FUNCTION message_places(
    since_id bigint, until_id bigint, of_account smallint,
    by_category boolean, by_campaign boolean, by_variant boolean, by_batch boolean, by_message boolean, by_link boolean,
    by_unit boolean, quarters bigint[], first_second bigint, apart bigint
) RETURNS TABLE (
    id bigint, slot smallint, to_idx bytea, category smallint, campaign text, variant text, batch bigint, message bigint,
    link text, unit integer
) LANGUAGE sql STABLE AS $$
    SELECT m.id, coalesce(h.slot, -1::smallint), m.to_idx,
           CASE WHEN by_category THEN m.category END,
           CASE WHEN by_campaign THEN m.campaign_id END,
           CASE WHEN by_variant THEN m.variant END,
           CASE WHEN by_batch THEN m.batch_id END,
           CASE WHEN by_message THEN m.id END,
           h.link,
           CASE WHEN by_unit THEN width_bucket(((m.id >> 22) / 1000 + first_second) / 900, quarters) - 1 END
    FROM message AS m
    LEFT JOIN (
        SELECT u.message_id, s.slot::smallint AS slot, r.targets[r.target_index[(u.k - 1) * r.slots + s.slot + 1]] AS link
        FROM link_range AS r
        CROSS JOIN LATERAL unnest(r.message_ids) WITH ORDINALITY AS u (message_id, k)
        CROSS JOIN LATERAL generate_series(0, r.slots - 1) AS s (slot)
        WHERE by_link AND r.message_ids[1] >= since_id - apart AND r.message_ids[1] < until_id + apart
    ) AS h ON h.message_id = m.id AND h.link <> 'optout:'
    WHERE m.id >= since_id AND m.id < until_id AND m.account = of_account AND m.connector <> -1
      AND (h.link IS NOT NULL OR NOT by_link)
$$;
