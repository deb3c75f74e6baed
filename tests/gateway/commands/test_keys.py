"""`smsgate keys`: a key's whole life from the command line, beside a gateway or without one."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from gateway.cli import main
from storage.pool import Connection
from web.edge.key_store import DatabaseKeys
from web.edge.keys import create_key, hash_of, revoke_key, rotate_key
from web.edge.scopes import DEFAULT_SCOPES, ROLES, SCOPES


class Keys:
    """`smsgate keys … --config FILE`."""

    def __init__(self, capture: pytest.CaptureFixture[str], path: Path) -> None:
        self._capture = capture
        self._path = path
        self.said = ""

    def __call__(self, *arguments: str, code: int = 0) -> str:
        self._capture.readouterr()
        assert main(["keys", *arguments, "--config", str(self._path)]) == code
        captured = self._capture.readouterr()
        self.said = captured.err
        return captured.out.strip()


@pytest.fixture
def keys(capsys: pytest.CaptureFixture[str], tmp_path: Path, database_url: str) -> Keys:
    path = tmp_path / "smsgate.toml"
    path.write_text(
        f"[database]\nurl = {json.dumps(database_url)}\ndata_dir = {json.dumps(str(tmp_path))}\n"
        '[[accounts]]\nname = "shop"\n',
        encoding="utf-8",
    )
    return Keys(capsys, path)


def test_o3_a_key_is_listed_replaced_and_revoked(keys: Keys) -> None:
    made = keys("create", "site", "--account", "shop", "--expires", "90d")
    [listed] = json.loads(keys("list", "--json"))
    assert (listed["account"], listed["name"], listed["state"]) == ("shop", "site", "active")
    assert listed["last_used_at"] is None
    assert made not in json.dumps(listed)
    lasts = datetime.fromisoformat(listed["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < lasts <= timedelta(days=90)

    rotated = json.loads(keys("rotate", "site", "--account", "shop", "--overlap", "2h", "--json"))
    assert rotated["key"] not in ("", made)
    assert rotated["replaced"] == f"site#{listed['id']}"
    old, new = json.loads(keys("list", "--json"))
    assert (old["name"], new["name"]) == (rotated["replaced"], "site")
    until = datetime.fromisoformat(old["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=1) < until <= timedelta(hours=2)
    assert new["scopes"] == old["scopes"]
    assert new["expires_at"] > old["expires_at"], "made for as long as the old one"

    assert "revoked site" in keys("revoke", "site", "--account", "shop")
    assert "had ended" in keys("revoke", "site", "--account", "shop")
    assert [key["state"] for key in json.loads(keys("list", "--all", "--json"))] == [
        "active", "revoked",
    ]  # fmt: skip
    assert "site#" in keys("list", "--account", "shop")
    assert "no keys" in keys("list", "--account", "default")


def test_o3_a_rotated_key_stands_alone_on_standard_output(keys: Keys) -> None:
    keys("create", "site")
    out = keys("rotate", "site", "--overlap", "0")
    assert out.startswith("sk_")
    assert "\n" not in out
    assert "site#" in keys.said
    assert [key["state"] for key in json.loads(keys("list", "--all", "--json"))] == [
        "expired", "active",
    ]  # fmt: skip


def test_a_key_that_nobody_could_read_is_said_to_be_there(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full, or whoever read has gone: the key works all the same."""
    keys("create", "kept")
    for action, name in (("create", "site"), ("rotate", "kept")):
        with monkeypatch.context() as patched, Path("/dev/full").open("w") as full:
            patched.setattr(sys, "stdout", full)
            keys(action, name, code=1)
        assert f"the key '{name}' of account default was made and cannot be shown" in keys.said
    assert len(json.loads(keys("list", "--json"))) == 3


def test_o3_the_name_of_a_key_that_has_ended_is_free(keys: Keys) -> None:
    keys("create", "site")
    keys("revoke", "site")
    keys("create", "site")
    assert [key["state"] for key in json.loads(keys("list", "--all", "--json"))] == [
        "revoked", "active",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("revoke", "nobody"), "account default has no key named 'nobody'"),
        (("rotate", "nobody"), "account default has no key named 'nobody'"),
        (("create", "site", "--expires", "2024-01-31"), "would have expired at 2024-01-31"),
        (("create", "site", "--expires", "0"), "would have expired at"),
    ],
)
def test_o3_what_cannot_be_is_one_line_and_changes_nothing(
    keys: Keys, arguments: tuple[str, ...], words: str
) -> None:
    keys(*arguments, code=1)
    assert words in keys.said
    assert keys.said.startswith("smsgate: database: ")
    assert keys.said.count("\n") == 2
    assert json.loads(keys("list", "--all", "--json")) == []


def test_o3_a_key_that_has_ended_is_not_replaced(keys: Keys) -> None:
    keys("create", "site")
    keys("revoke", "site")
    keys("rotate", "site", code=1)
    assert "is revoked; create another" in keys.said


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "site", "--expires", "soon"),
        ("create", "site", "--expires", "2027-01-31T12:00:00"),
        ("create", "site", "--expires", "9999999d"),
        ("rotate", "site", "--overlap", "90"),
        ("rotate", "site", "--overlap", "-1h"),
        ("revoke",),
    ],
)
def test_o3_moments_that_are_none_are_wrong_usage(
    keys: Keys, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        keys(*arguments)
    assert ended.value.code == 2
    assert "usage: smsgate keys" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("keys", "--help"), ("keys", "create", "--help")])
def test_o3_help_names_every_scope_and_what_it_opens(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    shown = " ".join(capsys.readouterr().out.split())  # a line that is too long goes on below
    for scope, meaning in SCOPES.items():
        assert f" {scope} {meaning}" in shown, scope


def test_o3_the_documents_name_every_scope() -> None:
    text = (Path(__file__).parents[3] / "docs" / "keys.md").read_text(encoding="utf-8")
    text = text.partition("## Scopes")[2].partition("\n## ")[0]
    shown = dict(re.findall(r"^\| `([a-z:_]+)` \| (.*) \|$", text, re.MULTILINE))
    assert shown == dict(SCOPES)


async def test_o3_what_a_look_up_says_of_each_key(
    connection: Connection, database_url: str
) -> None:
    key = await create_key(connection, "shop", "site", ["messages:send"])
    key_hash = hash_of(key)
    assert key_hash is not None
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        store = DatabaseKeys(pool, lambda: 0)
        for column, ended in (("expires_at", "expired"), ("revoked_at", "revoked")):
            found = await store.find(key_hash)
            assert found is not None
            assert (found.ended, found.lasts_seconds) == (None, None)
            await connection.execute(f"UPDATE api_key SET {column} = now()")
            found = await store.find(key_hash)
            assert found is not None
            assert found.ended == ended
            await connection.execute(f"UPDATE api_key SET {column} = NULL")
        await connection.execute("UPDATE api_key SET expires_at = now() + interval '1 minute'")
        found = await store.find(key_hash)
        assert found is not None
        assert found.lasts_seconds is not None
        assert 0 < found.lasts_seconds <= 60


async def test_o3_uses_are_stored_in_one_statement_and_never_go_back(
    connection: Connection, database_url: str
) -> None:
    key_hashes = [
        hash_of(await create_key(connection, "shop", f"site {index}", ["messages:send"]))
        for index in range(3)
    ]
    clock_ms = [2_000]
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        store, behind = DatabaseKeys(pool, lambda: clock_ms[0]), DatabaseKeys(pool, lambda: 1_000)
        for key_hash in key_hashes[:2]:
            assert key_hash is not None
            await store.find(key_hash)
            await behind.find(key_hash)
        await store.store_uses(connection)
        await behind.store_uses(connection)  # a process whose clock is behind
        used = await connection.fetch("SELECT last_used_at FROM api_key ORDER BY id")
        at = datetime.fromtimestamp(2, UTC)
        assert [row["last_used_at"] for row in used] == [at, at, None]


async def test_o3_every_change_of_a_key_leaves_an_audit_row(connection: Connection) -> None:
    await create_key(connection, "shop", "site", ["admin"])
    await rotate_key(connection, "shop", "site", timedelta(0))
    await revoke_key(connection, "shop", "site")
    rows = await connection.fetch("SELECT * FROM audit")
    assert {row["actor"] for row in rows} == {"operator"}
    of = {row["action"]: row["detail"] for row in rows}
    assert of["key.create"]["scopes"] == ["admin"]
    assert of["key.rotate"]["key"] == of["key.create"]["key"]
    assert of["key.revoke"]["key"] == of["key.rotate"]["replaced_by"]


def test_a_role_is_the_scopes_that_it_names_and_more_may_be_added(keys: Keys) -> None:
    for role in ROLES:
        keys("create", role, "--role", role)
    keys("create", "both", "--role", "monitoring", "--scopes", "audit:read")
    keys("create", "plain")
    listed = {each["name"]: set(each["scopes"]) for each in json.loads(keys("list", "--json"))}
    assert listed.pop("both") == {*ROLES["monitoring"], "audit:read"}
    assert listed.pop("plain") == set(DEFAULT_SCOPES)
    assert listed == {role: set(scopes) for role, scopes in ROLES.items()}


def test_no_role_opens_what_is_given_by_name_only() -> None:
    given = {scope for scopes in ROLES.values() for scope in scopes}
    assert given <= set(SCOPES)
    assert given.isdisjoint({"admin", "numbers:reveal", "persons:export", "persons:erase"})
    lines = Path("docs/keys.md").read_text().splitlines()
    for role, scopes in ROLES.items():
        assert f"| `{role}` | {' '.join(f'`{scope}`' for scope in scopes)} |" in lines
