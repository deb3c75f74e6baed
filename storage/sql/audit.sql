-- name: audit_append
-- Becomes rows of audit at the commit (audit_link in 0041).
INSERT INTO audit_batch
    (ids, accounts, actors, actions, subjects, salts, texts, details, subject_hashes, text_hashes, heads, tails)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: audit_take_unlinked
-- Rows of a release without the chain, the oldest first.
WITH taken AS (
    SELECT id FROM audit WHERE seq IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM audit AS a
USING taken AS t
WHERE a.id = t.id
RETURNING a.id, a.account, a.actor, a.action, a.subject, a.detail;

-- name: audit_head
SELECT seq, hash, cut_seq, cut_hash FROM audit_head;

-- name: audit_rows
-- The chain in order, and what stands before it.
SELECT seq, id, account, actor, action, subject, salt, text, detail, subject_hash, text_hash, hash
FROM audit
WHERE seq IS NOT NULL
ORDER BY seq;

-- name: audit_beginning
-- Where the chain begins, and what stands there: at most $1 rows.
SELECT h.cut_seq, h.cut_hash,
       a.seq, a.id, a.account, a.actor, a.action, a.subject, a.salt, a.text, a.detail, a.subject_hash, a.text_hash, a.hash
FROM audit_head AS h
JOIN audit AS a ON a.seq > h.cut_seq
ORDER BY a.seq
LIMIT $1;

-- name: audit_cut_rows
DELETE FROM audit WHERE seq >= $1 AND seq <= $2;

-- name: audit_move_beginning
UPDATE audit_head SET cut_seq = $1, cut_hash = $2;

-- name: audit_unlinked
SELECT count(*) FROM audit WHERE seq IS NULL;

-- name: audit_listed
-- Newest first. NULL: not asked for.
SELECT seq, id, account, actor, action, subject IS NOT NULL AS subject, subject_hash, text, text_hash, salt IS NULL AS bare,
       detail, hash
FROM audit
WHERE ($1::smallint[] IS NULL OR account = ANY($1))
  AND ($2::text IS NULL OR action = $2)
  AND ($3::text IS NULL OR actor = $3)
  AND ($4::bytea[] IS NULL OR subject = ANY($4))
  AND id >= $5 AND id < $6
ORDER BY id DESC
LIMIT $7;
