-- name: suppression_look_up
-- Every entry of these recipients; which of them applies is decided by account and category in the caller.
-- $1: indexes of 16 octets, one behind the other.
SELECT to_idx, account, category, reason, senders
FROM suppression
WHERE to_idx = ANY(
        ARRAY(
            SELECT substring($1::bytea FROM 16 * place + 1 FOR 16)
            FROM generate_series(0, length($1::bytea) / 16 - 1) AS place
        )
    )
    AND (expires_at IS NULL OR expires_at > now());

-- name: suppression_add
-- An older entry keeps its evidence, unless it has expired or is of some senders ($11, a line each) and not of these.
-- One of hygiene gives way to what people tell, which must outlive it, and to hygiene that lasts a day longer or more.
-- What people tell gives way to what lasts longer. None gets shorter or narrower by another. One that could be no longer
-- and no wider becomes an opt-out when the person says so. Else whoever takes it back would end the opt-out with it.
INSERT INTO suppression AS old
    (to_idx, account, category, reason, source, message_id, detail, created_at, expires_at, to_enc, senders)
SELECT to_idx, account, category, reason, source, message_id, detail, coalesce($10::timestamptz, now()), expires_at, to_enc,
       string_to_array(senders, E'\n')
FROM unnest(
    $1::bytea[], $2::smallint[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[], $7::text[],
    $8::timestamptz[], $9::bytea[], $11::text[]
) AS new (to_idx, account, category, reason, source, message_id, detail, expires_at, to_enc, senders)
ON CONFLICT (to_idx, account, category) DO UPDATE
SET reason = excluded.reason,
    (source, message_id, detail, created_at, to_enc) = (
        SELECT told.source, told.message_id, told.detail, told.created_at, told.to_enc
        FROM (
            VALUES (old.source, old.message_id, old.detail, old.created_at, old.to_enc, true),
                (excluded.source, excluded.message_id, excluded.detail, excluded.created_at, excluded.to_enc, false)
        ) AS told (source, message_id, detail, created_at, to_enc, stands)
        WHERE told.stands = (old.source <> 'receipt' AND old.expires_at IS NULL AND old.senders IS NULL)
    ),
    expires_at = CASE
        WHEN old.expires_at <= now() OR old.source = 'receipt' THEN excluded.expires_at
        WHEN excluded.expires_at IS NULL OR old.expires_at IS NULL THEN NULL
        ELSE greatest(old.expires_at, excluded.expires_at)
    END,
    senders = CASE
        WHEN old.expires_at <= now() OR old.source = 'receipt' THEN excluded.senders
        WHEN old.senders IS NULL OR excluded.senders IS NULL THEN NULL
        ELSE old.senders || excluded.senders
    END
WHERE old.expires_at <= now()
    OR (old.source = 'receipt' AND excluded.source <> 'receipt')
    OR (old.source = 'receipt' AND old.expires_at + interval '1 day' < excluded.expires_at)
    OR (old.source <> 'receipt' AND excluded.source <> 'receipt'
        AND old.expires_at < coalesce(excluded.expires_at, 'infinity'))
    OR (old.source NOT IN ('keyword', 'page', 'complaint') AND excluded.source IN ('keyword', 'page')
        AND old.reason <> excluded.reason)
    OR (old.senders IS NOT NULL AND (excluded.senders IS NULL OR NOT old.senders @> excluded.senders))
RETURNING to_idx, account, category;

-- name: suppression_harden
-- As suppression_add; but from now on no word of the recipient undoes it, nor time, nor whoever may not end opt-outs.
INSERT INTO suppression AS old
    (to_idx, account, category, reason, source, message_id, detail, created_at, to_enc)
SELECT to_idx, account, category, reason, source, message_id, detail, $9::timestamptz, to_enc
FROM unnest(
    $1::bytea[], $2::smallint[], $3::smallint[], $4::smallint[], $5::text[], $6::bigint[], $7::text[], $8::bytea[]
) AS new (to_idx, account, category, reason, source, message_id, detail, to_enc)
ON CONFLICT (to_idx, account, category) DO UPDATE
SET reason = excluded.reason, source = excluded.source, message_id = excluded.message_id, detail = excluded.detail,
    created_at = CASE WHEN old.expires_at <= now() THEN excluded.created_at ELSE old.created_at END,
    expires_at = NULL, to_enc = excluded.to_enc, senders = NULL
WHERE old.source IN ('keyword', 'page') OR old.expires_at IS NOT NULL OR old.reason <> excluded.reason;

-- name: suppression_undo_keyword
-- What a number's own words, or presses on a page, had put there: for this account, or by a text to this very number. Where $4 names senders (a
-- line each): theirs; an entry of all senders only where this very number was texted.
WITH wanted AS (
    SELECT to_idx, account, destination, string_to_array(senders, E'\n') AS senders
    FROM unnest($1::bytea[], $2::smallint[], $3::text[], $4::text[]) AS given (to_idx, account, destination, senders)
), bearing AS (
    SELECT s.to_idx, s.account, s.category,
           bool_or(
               w.senders IS NULL OR s.senders <@ w.senders OR (s.senders IS NULL AND s.detail = w.destination)
           ) AS gone
    FROM suppression AS s
    JOIN wanted AS w ON w.to_idx = s.to_idx
    WHERE s.source IN ('keyword', 'page') AND (s.account = w.account OR s.detail = w.destination)
      AND (w.senders IS NULL OR s.senders && w.senders OR (s.senders IS NULL AND s.detail = w.destination))
    GROUP BY 1, 2, 3
), deleted AS (
    DELETE FROM suppression AS s
    USING bearing AS b
    WHERE b.gone AND s.to_idx = b.to_idx AND s.account = b.account AND s.category = b.category
), narrowed AS (
    UPDATE suppression AS s
    SET senders = ARRAY(
        SELECT each FROM unnest(s.senders) AS each
        WHERE NOT EXISTS (
            SELECT 1 FROM wanted AS w WHERE w.to_idx = s.to_idx AND w.account = s.account AND each = ANY(w.senders)
        )
    )
    FROM bearing AS b
    WHERE NOT b.gone AND s.to_idx = b.to_idx AND s.account = b.account AND s.category = b.category
)
SELECT to_idx, account, category, gone FROM bearing;

-- name: suppression_undo_page
-- What presses on an account's pages had put there of these categories. $4: the senders whose page it is, NULL all of the
-- account; an entry of others, too, is narrowed.
WITH bearing AS (
    SELECT to_idx, account, category, ($4::text[] IS NULL OR senders IS NULL OR senders <@ $4) AS gone
    FROM suppression
    WHERE to_idx = ANY($1::bytea[]) AND account = $2::smallint AND source = 'page' AND category = ANY($3::smallint[])
      AND ($4::text[] IS NULL OR senders IS NULL OR senders && $4)
    ORDER BY to_idx, account, category
    FOR UPDATE
), deleted AS (
    DELETE FROM suppression AS s
    USING bearing AS b
    WHERE b.gone AND s.to_idx = b.to_idx AND s.account = b.account AND s.category = b.category
), narrowed AS (
    UPDATE suppression AS s
    SET senders = ARRAY(SELECT each FROM unnest(s.senders) AS each WHERE each <> ALL ($4))
    FROM bearing AS b
    WHERE NOT b.gone AND s.to_idx = b.to_idx AND s.account = b.account AND s.category = b.category
)
SELECT to_idx, account, category, gone FROM bearing;

-- name: suppression_remove_numbers
-- Every entry of these numbers in these accounts, or those of one category. Without $4 those stay that the person's own
-- word made ($5: the reason of opt-outs). Answers with what went and what stayed.
WITH asked AS (
    SELECT to_idx, account, category,
           NOT $4::boolean AND (reason = $5 OR source IN ('keyword', 'complaint')) AS stays
    FROM suppression
    WHERE to_idx = ANY($1::bytea[]) AND account = ANY($2::smallint[]) AND ($3::smallint IS NULL OR category = $3)
), gone AS (
    DELETE FROM suppression AS s USING asked
    WHERE NOT asked.stays
      AND (s.to_idx, s.account, s.category) = (asked.to_idx, asked.account, asked.category)
    RETURNING s.to_idx, s.account, s.category
)
SELECT to_idx, account, category, false AS stays FROM gone
UNION ALL
SELECT to_idx, account, category, true FROM asked WHERE stays;

-- name: suppression_lift
DELETE FROM suppression
WHERE to_idx = ANY($1::bytea[]) AND account = $2 AND category = $3 AND source = $4
RETURNING to_idx;

-- name: suppression_list
-- Newest first, behind a place in that order. The evidence knows the number where the entry does not.
SELECT s.to_idx, s.account, s.category, s.reason, s.source, s.message_id, s.detail, s.created_at, s.expires_at,
       coalesce(s.to_enc, m.to_enc) AS to_enc, s.senders
FROM suppression AS s
LEFT JOIN message AS m ON m.id = s.message_id AND s.source = 'receipt'
WHERE s.account = ANY($1::smallint[])
  AND ($2::timestamptz IS NULL
       OR (s.created_at, s.to_idx, s.account, s.category) < ($2, $3::bytea, $4::smallint, $5::smallint))
  AND ($6::text IS NULL OR s.source = $6)
  AND ($7::smallint IS NULL OR s.category = $7)
ORDER BY s.created_at DESC, s.to_idx DESC, s.account DESC, s.category DESC
LIMIT $8;

-- name: suppression_of_number
SELECT to_idx, account, category, reason, source, message_id, detail, created_at, expires_at, senders
FROM suppression
WHERE to_idx = ANY($1::bytea[]) AND account = ANY($2::smallint[])
ORDER BY created_at DESC, account, category;

-- name: suppression_page
-- In the order of the key, behind one, with the number that the entry or its evidence has. LATERAL with LIMIT, so that
-- it is one index probe in one partition for each entry: the planner would rather read all messages.
SELECT s.to_idx, s.account, s.category, coalesce(s.to_enc, m.to_enc, i.from_enc) AS to_enc
FROM (
    SELECT to_idx, account, category, source, message_id, to_enc
    FROM suppression
    WHERE (to_idx, account, category) > ($1::bytea, $2::smallint, $3::smallint)
    ORDER BY to_idx, account, category
    LIMIT $4
) AS s
LEFT JOIN LATERAL (
    SELECT to_enc FROM message WHERE id = s.message_id AND s.source = 'receipt' AND s.to_enc IS NULL LIMIT 1
) AS m ON true
LEFT JOIN LATERAL (
    SELECT from_enc FROM inbound_message WHERE id = s.message_id AND s.source = 'keyword' AND s.to_enc IS NULL LIMIT 1
) AS i ON true
ORDER BY s.to_idx, s.account, s.category;

-- name: suppression_lock
SELECT s.to_idx, s.account, s.category, s.reason, s.source, s.message_id, s.detail, s.created_at, s.expires_at, s.to_enc,
       s.senders
FROM suppression AS s
JOIN unnest($1::bytea[], $2::smallint[], $3::smallint[]) AS asked (to_idx, account, category)
    USING (to_idx, account, category)
ORDER BY s.to_idx, s.account, s.category
FOR UPDATE OF s;

-- name: suppression_delete
DELETE FROM suppression AS s
USING unnest($1::bytea[], $2::smallint[], $3::smallint[]) AS gone (to_idx, account, category)
WHERE s.to_idx = gone.to_idx AND s.account = gone.account AND s.category = gone.category;

-- name: suppression_put
-- What came in between by itself is younger: it gives way, but for the time that it lasts. An entry that evidence made
-- takes the place of no other: a delivery would end it. Neither does any take that of a complaint. An opt-out's reason ($12)
-- stays: whoever may not end opt-outs could end the entry else.
INSERT INTO suppression AS there
    (to_idx, reason, source, account, category, message_id, detail, created_at, expires_at, to_enc, senders)
SELECT to_idx, reason, source, account, category, message_id, detail, created_at, expires_at, to_enc,
       string_to_array(senders, E'\n')
FROM unnest(
    $1::bytea[], $2::smallint[], $3::text[], $4::smallint[], $5::smallint[], $6::bigint[], $7::text[],
    $8::timestamptz[], $9::timestamptz[], $10::bytea[], $11::text[]
) AS new (to_idx, reason, source, account, category, message_id, detail, created_at, expires_at, to_enc, senders)
ON CONFLICT (to_idx, account, category) DO UPDATE
SET (reason, source, message_id, detail, created_at) = (
        SELECT CASE WHEN $12 IN (there.reason, excluded.reason) THEN $12 ELSE told.reason END,
               told.source, told.message_id, told.detail, told.created_at
        FROM (
            VALUES (there.reason, there.source, there.message_id, there.detail, there.created_at, true),
                (excluded.reason, excluded.source, excluded.message_id, excluded.detail, excluded.created_at, false)
        ) AS told (reason, source, message_id, detail, created_at, stands)
        WHERE told.stands = (
            there.source = 'complaint' OR (excluded.source = 'receipt' AND there.source <> 'receipt')
        )
    ),
    to_enc = coalesce(excluded.to_enc, there.to_enc),
    senders = CASE
        WHEN there.senders IS NOT NULL AND excluded.senders IS NOT NULL THEN there.senders || excluded.senders
    END,
    expires_at = CASE
        WHEN there.expires_at IS NOT NULL AND excluded.expires_at IS NOT NULL
        THEN greatest(there.expires_at, excluded.expires_at)
    END;

-- name: suppressions_purge
-- Entries that ended by themselves before $1: they have spared nobody since.
DELETE FROM suppression
WHERE (to_idx, account, category) IN (
    SELECT to_idx, account, category FROM suppression
    WHERE expires_at < $1
    ORDER BY expires_at
    LIMIT $2
    FOR UPDATE SKIP LOCKED
);

-- name: suppression_export
-- The entries in force of these accounts behind a key, in the order of the keys. The evidence knows the number where the
-- entry does not. LATERAL as in suppression_page.
SELECT s.to_idx, s.account, s.category, s.reason, s.source, s.message_id, s.detail, s.created_at, s.expires_at,
       coalesce(s.to_enc, m.to_enc) AS to_enc, s.senders
FROM (
    SELECT to_idx, account, category, reason, source, message_id, detail, created_at, expires_at, to_enc, senders
    FROM suppression
    WHERE account = ANY($1::smallint[]) AND (to_idx, account, category) > ($2::bytea, $3::smallint, $4::smallint)
      AND (expires_at IS NULL OR expires_at > now())
    ORDER BY to_idx, account, category
    LIMIT $5
) AS s
LEFT JOIN LATERAL (
    SELECT to_enc FROM message WHERE id = s.message_id AND s.source = 'receipt' AND s.to_enc IS NULL LIMIT 1
) AS m ON true
ORDER BY s.to_idx, s.account, s.category;

-- name: suppression_count
SELECT count(*) FROM suppression WHERE account = ANY($1::smallint[]) AND (expires_at IS NULL OR expires_at > now());
