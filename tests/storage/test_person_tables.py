"""The catalogue of what tables hold of a person, against the schema."""

from __future__ import annotations

import re

import pytest

from storage.person_tables import TABLES
from storage.pool import Connection

# How a column is called that may hold something of a person.
SUSPICIOUS = re.compile(
    r".*_(?:enc|idx|fingerprint)|number|msisdn|text|body|changes|answer|user_agent|ip_\w+|address"
    r"|evidence|fingerprint|options|callback|name_of_person|email"
)
# Of ours, or of a carrier.
OURS = {
    ("conversion", "fingerprint"), ("template_version", "body"),
    ("api_key", "number"), ("idempotency", "answer"), ("idempotency", "answer_enc"),
    ("idempotency", "fingerprint"),
    ("breaker", "evidence"), ("rollup_watch", "answer"), ("webhook_endpoint", "callback"),
    ("index_rewrite", "after_idx"),
    ("installation", "key_fingerprint"), ("number_rotation", "carried_enc"),
    ("number_rotation", "from_fingerprint"), ("number_rotation", "to_fingerprint"),
    ("webhook_callback_secret", "secrets_enc"), ("webhook_endpoint", "headers_enc"),
    ("webhook_endpoint", "secrets_enc"), ("webhook_generation", "number"),
}  # fmt: skip


@pytest.fixture
async def columns(connection: Connection) -> set[tuple[str, str]]:
    rows = await connection.fetch(
        "SELECT c.relname AS name, a.attname AS field FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.relnamespace = 'public'::regnamespace"
    )
    return {(row["name"], row["field"]) for row in rows}


async def test_g36_every_table_is_in_the_catalogue(columns: set[tuple[str, str]]) -> None:
    assert {table for table, _ in columns} == set(TABLES)


async def test_g36_every_column_that_may_hold_a_person_is_named(
    columns: set[tuple[str, str]],
) -> None:
    named = {(table, column) for table, held in TABLES.items() for column in held.columns}
    assert named <= columns, "a column that is not there"
    found = {each for each in columns if SUSPICIOUS.fullmatch(each[1])}
    assert found - named - OURS == set()
