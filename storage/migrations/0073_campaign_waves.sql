-- A batch of a campaign under way is paused, slowed down and canceled with it, and not by itself. And its guard judges
-- several of them.

ALTER TABLE batch_control ADD COLUMN campaign bigint; -- whose wave it is, until that has finished; NULL: nobody's

-- All but those that somebody had canceled before an edit recalled what waited: these stay canceled.
UPDATE batch_control AS b SET campaign = c.campaign
FROM (SELECT campaign, batch, max(version) AS version FROM campaign_chunk GROUP BY campaign, batch) AS c
JOIN campaign AS p ON p.id = c.campaign
WHERE b.id = c.batch AND p.state <> 5
  AND (b.state <> 2 OR EXISTS (
      SELECT FROM campaign_version AS v WHERE v.campaign = c.campaign AND v.version > c.version AND v.at <= b.changed_at
  ));

-- Nobody more goes into one that is canceled.
UPDATE campaign SET wave = NULL, wave_chunks = 0 WHERE wave IN (SELECT id FROM batch_control WHERE state = 2);

ALTER TABLE campaign ADD COLUMN judged_chunk integer NOT NULL DEFAULT 0; -- the guard judges batches of chunks from here on

-- Until now it judged the latest batch.
UPDATE campaign SET judged_chunk = greatest(next_chunk - wave_chunks, 0) WHERE next_chunk > 0;
