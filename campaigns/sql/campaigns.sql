-- name: campaign_add
INSERT INTO campaign (id, account, state) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING RETURNING id;

-- name: campaign_version_add
INSERT INTO campaign_version (campaign, version, spec, author) VALUES ($1, $2, $3, $4);

-- name: campaign_one
SELECT c.*, v.spec, v.author
FROM campaign AS c
JOIN campaign_version AS v ON v.campaign = c.id AND v.version = c.version
WHERE c.account = $1 AND c.id = $2;

-- name: campaign_lock_own
-- Nobody locks what is another account's.
SELECT FROM campaign WHERE account = $1 AND id = $2 FOR UPDATE;

-- name: campaigns_listed
SELECT c.*, v.spec, v.author
FROM campaign AS c
JOIN campaign_version AS v ON v.campaign = c.id AND v.version = c.version
WHERE c.account = $1 AND ($2::bigint IS NULL OR c.id < $2) AND ($3::smallint IS NULL OR c.state = $3)
ORDER BY c.id DESC
LIMIT $4;

-- name: campaign_skipped
-- Whoever was superseded is in a later chunk, or waits for one. A rule is of those that a cap has skipped.
SELECT reason, rule, count(*) AS people FROM campaign_skip
WHERE campaign = $1 AND reason <> 'superseded'
GROUP BY reason, rule;

-- name: campaign_spec
SELECT c.account, v.spec
FROM campaign_version AS v
JOIN campaign AS c ON c.id = v.campaign
WHERE v.campaign = $1 AND v.version = $2;

-- name: campaign_specs
SELECT version, spec FROM campaign_version WHERE campaign = $1;

-- name: campaign_edited
-- A plan of another audience is no plan any more. What is sent from now on begins another batch, and so does a canary's
-- time to be judged.
UPDATE campaign
SET version = $2, state = $3, planned_at = CASE WHEN $4 THEN NULL ELSE planned_at END, wave = NULL, wave_chunks = 0,
    judged_chunk = next_chunk, canary_fed_at = NULL, revision = revision + 1
WHERE id = $1;

-- name: campaign_tested
UPDATE campaign SET state = $2, tested_version = version, test_batch = $3, revision = revision + 1 WHERE id = $1;

-- name: campaign_started
-- $4: when it is through, as of now; the plan said so of the moment that it was made.
UPDATE campaign
SET state = $2, started_at = $3, paced_at = $3, paced_seq = 0, cleared_version = version, revision = revision + 1,
    counts = CASE
        WHEN counts ? 'foresight'
        THEN jsonb_set(counts, '{foresight,finish_at}', coalesce(to_jsonb($4::timestamptz), 'null'))
        ELSE counts
    END
WHERE id = $1;

-- name: tests_delivered
-- By arm, which the test's messages have as their variant: when the last one was delivered whole.
SELECT m.variant, max(d.at) AS at
FROM message AS m
JOIN batch_control AS b ON b.id = m.batch_id
CROSS JOIN LATERAL (
    SELECT max(s.receipt_at) AS at
    FROM submission AS s
    WHERE s.message_id = m.id AND s.id >= m.id AND s.part > 0 AND NOT s.replaced
    HAVING count(DISTINCT s.part) FILTER (WHERE s.status = $2) = max(s.parts)
) AS d
WHERE b.id = $1 AND m.id BETWEEN b.id AND b.until_id AND m.batch_id = $1
GROUP BY m.variant;

-- name: tests_routed
-- By arm: the connectors that the test's messages were to go by.
SELECT m.variant, array_agg(DISTINCT m.connector) AS connectors
FROM batch_control AS b
JOIN message AS m ON m.id BETWEEN b.id AND b.until_id AND m.batch_id = b.id
WHERE b.id = $1
GROUP BY m.variant;

-- name: recipients_page
-- Planned ones in the order of sending, with the chunks that reached them, the last one first. A reason is of the last
-- that had them: whom an earlier one skipped is in no later one, unless an edit had come first.
SELECT r.seq, r.contact, r.arm, r.slot, n.to_enc, c.first_ids, c.from_seqs, c.to_seqs, c.done, s.reason, s.rule, s.detail
FROM campaign_recipient AS r
LEFT JOIN contact_number AS n ON n.account = $2 AND n.to_idx = r.to_idx
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(k.first_id ORDER BY k.no DESC), '{}') AS first_ids,
        array_agg(k.from_seq ORDER BY k.no DESC) AS from_seqs, array_agg(k.to_seq ORDER BY k.no DESC) AS to_seqs,
        (array_agg(k.version ORDER BY k.no DESC))[1] AS version, (array_agg(k.done ORDER BY k.no DESC))[1] AS done
    FROM campaign_chunk AS k
    WHERE k.campaign = r.campaign AND r.seq BETWEEN k.from_seq AND k.to_seq
) AS c
LEFT JOIN LATERAL (
    SELECT reason, rule, detail FROM campaign_skip AS k
    WHERE k.campaign = r.campaign AND k.seq = r.seq AND (k.version = c.version OR k.reason <> 'superseded')
    ORDER BY k.version DESC
    LIMIT 1
) AS s ON true
WHERE r.campaign = $1 AND r.seq >= $3
ORDER BY r.seq
LIMIT $4;

-- name: contacts_tested
-- Whose numbers these are, with what texts may say of them.
SELECT n.to_idx, n.to_enc, c.external_id, c.source, c.attrs, c.time_zone
FROM contact_number AS n
JOIN contact AS c ON c.id = n.contact
WHERE n.account = $1 AND n.to_idx = ANY($2::bytea[]);
