"""Named SQL files: what is a block, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.sql import load, parse

if TYPE_CHECKING:
    from storage.pool import Connection


def test_blocks_lose_their_documentation_and_keep_their_comments() -> None:
    text = """-- The file.
-- name: first
-- What it is for.

SELECT 1 -- one
FROM x;

-- name: second
SELECT 2
"""
    assert dict(parse(text, "here")) == {"first": "SELECT 1 -- one\nFROM x", "second": "SELECT 2"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("SELECT 1;\n-- name: a\nSELECT 2;", "before the first"),
        ("-- name: A b\nSELECT 1;", "'A b' is not a name"),
        ("-- name:\nSELECT 1;", "'' is not a name"),
        ("-- name: a\n-- nothing\n-- name: b\nSELECT 1;", "a has no SQL"),
    ],
)
def test_malformed_files_are_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        list(parse(text, "here"))


def test_a_name_is_used_once_in_a_package(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path_factory.mktemp("import") / "package_with_sql"
    (package / "sql").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "sql" / "a.sql").write_text("-- name: same\nSELECT 1;")
    monkeypatch.syspath_prepend(package.parent)
    assert load("package_with_sql") == {"same": "SELECT 1"}
    (package / "sql" / "b.sql").write_text("-- name: same\nSELECT 2;")
    with pytest.raises(ValueError, match=r"b\.sql: the name same is used twice"):
        load("package_with_sql")


async def test_every_statement_of_storage_is_valid(connection: Connection) -> None:
    await connection.execute("CREATE TABLE schema_migration_probe (LIKE schema_migration)")
    for name, statement in load("storage").items():
        try:
            await connection.prepare(statement)
        except Exception as error:
            raise AssertionError(f"{name} does not prepare") from error
