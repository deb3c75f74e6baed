-- name: contact_number_sealed
SELECT account, to_idx, to_enc FROM contact_number
WHERE (account, to_idx) > ($1::smallint, $2::bytea)
ORDER BY account, to_idx
LIMIT $3;

-- name: contact_number_seal
-- Of two contacts with one number the older keeps it. Who is planned under the number stays so.
WITH moves AS (
    SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::bytea[], $4::bytea[]) AS m (account, stored, idx, enc)
), gone AS (
    DELETE FROM contact_number AS n USING moves AS m
    WHERE n.account = m.account AND n.to_idx = m.stored
    RETURNING n.account, m.idx, m.enc, n.contact, n.rank, n.job
), planned AS (
    UPDATE campaign_recipient AS r SET to_idx = m.idx
    FROM moves AS m
    WHERE r.to_idx = m.stored AND EXISTS (SELECT FROM campaign AS c WHERE c.id = r.campaign AND c.account = m.account)
)
INSERT INTO contact_number AS there (account, to_idx, to_enc, contact, rank, job)
SELECT DISTINCT ON (account, idx) account, idx, enc, contact, rank, job
FROM gone
ORDER BY account, idx, contact
ON CONFLICT (account, to_idx) DO UPDATE SET contact = excluded.contact, rank = excluded.rank, job = excluded.job
WHERE excluded.contact < there.contact;
