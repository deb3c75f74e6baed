-- name: person_suppressions
SELECT * FROM suppression
WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
ORDER BY account, category;

-- name: person_suppressions_erase
-- Who was erased is not texted again: index, date and source stay. A word's `detail` is the number that was texted.
WITH found AS (
    SELECT to_idx, account, category FROM suppression
    WHERE to_idx = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
      AND (to_enc IS NOT NULL OR message_id IS NOT NULL OR (detail IS NOT NULL AND source <> 'keyword'))
    LIMIT $3
), changed AS (
    UPDATE suppression AS s
    SET to_enc = NULL, message_id = NULL, detail = CASE WHEN s.source = 'keyword' THEN s.detail END
    FROM found
    WHERE s.to_idx = found.to_idx AND s.account = found.account AND s.category = found.category
    RETURNING s.account
)
SELECT count(*) FROM changed;

-- name: person_audit
SELECT * FROM audit
WHERE subject = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2))
ORDER BY id;

-- name: person_audit_erase
-- The commitments stay, and with them the chain.
WITH found AS (
    SELECT id FROM audit
    WHERE subject = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2)) AND id < $3
      AND seq IS NOT NULL
    LIMIT $4
), changed AS (
    UPDATE audit AS a
    SET subject = NULL, salt = NULL, text = NULL
    FROM found
    WHERE a.id = found.id
    RETURNING a.id
)
SELECT count(*) FROM changed;

-- name: person_audit_unlinked
SELECT EXISTS (
    SELECT FROM audit
    WHERE subject = ANY($1::bytea[]) AND ($2::smallint[] IS NULL OR account = ANY($2)) AND id < $3 AND seq IS NULL
);

-- name: person_events
SELECT e.*
FROM unnest($1::bytea[]) AS whose (idx)
JOIN message AS m ON m.to_idx = whose.idx
JOIN event AS e ON e.message_id = m.id
WHERE $2::smallint[] IS NULL OR m.account = ANY($2)
ORDER BY e.id;
