-- Pieces of which segments are made (campaigns/segments/pieces.py). A {slot} takes another piece or a parameter.

-- name: piece_contacts
{tables} SELECT c.id FROM contact AS c {joins}
WHERE c.account = {account} AND c.merged_into IS NULL AND {condition}

-- name: piece_counts
-- All contacts, those in it, some of these from all over the account, and how many lack each value. OFFSET 0: once a row,
-- first what is read out of attributes, and then the condition.
{tables} SELECT contacts, inside{lacking}, ARRAY(
    SELECT ids[(1 + place * inside / least({wanted}, inside))::integer]
    FROM generate_series(0, least({wanted}, inside) - 1) AS place
) AS sample
FROM (
    SELECT count(*) AS contacts, count(*) FILTER (WHERE inside) AS inside{counts},
           array_agg(id) FILTER (WHERE inside) AS ids
    FROM (
        SELECT c.id, {condition} AS inside{columns}
        FROM (
            SELECT c.id, c.tags, c.source{values} FROM contact AS c
            WHERE c.account = {account} AND c.merged_into IS NULL
            OFFSET 0
        ) AS c {joins}
        OFFSET 0
    ) AS judged
) AS counted

-- name: piece_lacking
, {name}

-- name: piece_lacking_count
, count(*) FILTER (WHERE {name}) AS {name}

-- name: piece_lacking_column
, {value} IS NULL AS {name}

-- name: piece_value_column
, {value} AS {name}

-- name: piece_value
c.{name}

-- name: piece_with
WITH {tables}

-- name: piece_tables
{left}, {right}

-- name: piece_table
{name} AS MATERIALIZED ({select})

-- name: piece_plain_table
-- A row a contact as it stands: nothing is gained by writing it down before it is joined.
{name} AS NOT MATERIALIZED ({select})

-- name: piece_join
LEFT JOIN {name} ON {name}.contact = c.id

-- name: piece_one_kind
kind = {kind}

-- name: piece_any_kind
-- What the contact did.
contact_did(kind)

-- name: piece_count_ever
-- As it is kept in sum, which outlives the events.
SELECT contact, sum(n) AS amount FROM engagement WHERE account = {account} AND {kinds} GROUP BY contact

-- name: piece_count_ever_of_one
SELECT contact, n AS amount FROM engagement WHERE account = {account} AND {kinds}

-- name: piece_sum_ever
-- As far back as events are kept.
SELECT contact, sum(contact_event.amount) AS amount FROM contact_event
WHERE account = {account} AND {kinds}
GROUP BY contact

-- name: piece_count
-- An id tells when the event was told, five minutes before its time at the earliest: it bounds the days that are read.
SELECT contact, count(*) AS amount FROM contact_event
WHERE account = {account} AND {kinds} AND id >= {oldest} AND at > {after} AND at <= {now}
GROUP BY contact

-- name: piece_sum
SELECT contact, sum(contact_event.amount) AS amount FROM contact_event
WHERE account = {account} AND {kinds} AND id >= {oldest} AND at > {after} AND at <= {now}
GROUP BY contact

-- name: piece_days_since
SELECT contact, {today} - (max(last_at) AT TIME ZONE {zone})::date AS amount FROM engagement
WHERE account = {account} AND {kinds}
GROUP BY contact

-- name: piece_days_since_one
SELECT contact, {today} - (last_at AT TIME ZONE {zone})::date AS amount FROM engagement
WHERE account = {account} AND {kinds}

-- name: piece_members
-- Who became part of another contact is in it as that one.
SELECT DISTINCT COALESCE(k.merged_into, k.id) AS contact
FROM segment_member AS m JOIN contact AS k ON k.id = m.contact
WHERE m.segment = {segment}

-- name: piece_is_member
({name}.contact IS NOT NULL)

-- name: piece_amount
{name}.amount

-- name: piece_amount_or_none
COALESCE({name}.amount, 0)

-- name: piece_text
CASE WHEN jsonb_typeof(c.attrs -> {key}) = 'string' THEN c.attrs ->> {key} END

-- name: piece_number
CASE WHEN jsonb_typeof(c.attrs -> {key}) = 'number' THEN (c.attrs ->> {key})::numeric END

-- name: piece_bool
CASE c.attrs -> {key} WHEN 'true'::jsonb THEN true WHEN 'false'::jsonb THEN false END

-- name: piece_set
CASE WHEN jsonb_typeof(c.attrs -> {key}) = 'array' THEN c.attrs -> {key} END

-- name: piece_day
-- A date or an instant stays text: it sorts as the calendar does, and no wrong value can stop the statement.
(CASE WHEN jsonb_typeof(c.attrs -> {key}) = 'string' THEN c.attrs ->> {key} END COLLATE "C")

-- name: piece_bucket
((('x' || encode(substring(sha256(convert_to({salt} || '|' || c.id, 'UTF8')) FOR 4), 'hex'))::bit(32)::bigint
  * 10000) >> 32)

-- name: piece_tagged
({tag} = ANY(c.tags))

-- name: piece_from
COALESCE(c.source = {source}, false)

-- name: piece_sure
COALESCE({test}, false)

-- name: piece_has
{value} IS NOT NULL

-- name: piece_equal
{value} = {operand}

-- name: piece_unequal
{value} <> {operand}

-- name: piece_below
{value} < {operand}

-- name: piece_at_most
{value} <= {operand}

-- name: piece_above
{value} > {operand}

-- name: piece_at_least
{value} >= {operand}

-- name: piece_between
{value} BETWEEN {low} AND {high}

-- name: piece_in
{value} = ANY({operand})

-- name: piece_not_in
{value} <> ALL({operand})

-- name: piece_contains
strpos({value}, {operand}) > 0

-- name: piece_starts
starts_with({value}, {operand})

-- name: piece_set_contains
jsonb_exists({value}, {operand})

-- name: piece_in_span
{value} >= {low} AND {value} < {high}

-- name: piece_in_spans
EXISTS (SELECT FROM unnest({lows}, {highs}) AS span (low, high) WHERE {value} >= span.low AND {value} < span.high)

-- name: piece_anniversary
substr({value}, 6, 5) = ANY({operand})

-- name: piece_parameter_text
{parameter}::text

-- name: piece_parameter_texts
{parameter}::text[]

-- name: piece_parameter_number
{parameter}::numeric

-- name: piece_parameter_numbers
{parameter}::numeric[]

-- name: piece_parameter_bool
{parameter}::boolean

-- name: piece_parameter_date
{parameter}::date

-- name: piece_parameter_instant
{parameter}::timestamptz

-- name: piece_parameter_id
{parameter}::bigint

-- name: piece_parameter_small
{parameter}::integer

-- name: piece_not
(NOT {part})

-- name: piece_and
({left} AND {right})

-- name: piece_or
({left} OR {right})
