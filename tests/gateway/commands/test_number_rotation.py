"""`smsgate keys number-rotate`: what an operator types, and what becomes of the key files."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.wiring.rotating import tables
from storage.key_rotation import KeyRotation, Phase, open_vault, standing
from storage.keys import FILE_NAME, NEXT_FILE_NAME, load_keys, load_next
from storage.pool import Connection
from storage.terms import HostIdentity, OwnerTerm
from tests.gateway.commands.test_keys import Keys, keys

__all__ = ["keys"]


async def test_a_rotation_from_the_command_line(
    keys: Keys, connection: Connection, tmp_path: Path
) -> None:
    first = load_keys(tmp_path, {})
    vault, _ = await open_vault(connection, first, None)
    assert await _awaited(keys, "status") == "no rotation runs"
    assert "announced" in await _awaited(keys, "start")
    following = load_next(tmp_path, {})
    assert following is not None
    assert await _awaited(keys, "start", code=1) == ""
    assert "a rotation runs" in keys.said
    assert await _awaited(keys, "finish", code=1) == ""
    assert "not yet" in keys.said

    term = await OwnerTerm.acquire(connection, HostIdentity.current())
    process = KeyRotation(
        vault, tables(), term=term.term, load_next=lambda: following, settle=timedelta(0)
    )
    told = json.loads(await _awaited(keys, "status", "--json"))
    assert (told["phase"], told["to"]) == ("announced", following.fingerprint)
    assert len(told["waits_for"]) == 1
    phases = set()
    while (found := await standing(connection)) and found.phase is not Phase.REWRITTEN:
        phases.add(found.phase)
        await process.turn(connection, datetime.now(UTC))
    assert len(phases) == 3
    told = json.loads(await _awaited(keys, "status", "--json"))
    assert set(told["tables"]) == {table.name for table in tables()}
    assert all(table["done"] for table in told["tables"].values())
    assert "finished: 0 rows sealed anew, 0 left" in await _awaited(keys, "finish")
    assert load_keys(tmp_path, {}).fingerprint == following.fingerprint
    assert not (tmp_path / NEXT_FILE_NAME).exists()
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o077 == 0
    actions = await connection.fetch("SELECT action, detail FROM audit ORDER BY id")
    assert [(row["action"], row["detail"]) for row in actions] == [
        ("key.rotate", {"to": "start"}),
        ("key.rotate", {"to": "finish"}),
    ]


def test_a_key_of_the_environment_needs_the_next_one_there(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SMSGATE_NUMBER_KEY", "00" * 64)
    assert _typed(keys, "start", code=1) == ""
    assert "SMSGATE_NUMBER_KEY_NEXT" in keys.said
    assert not (tmp_path / NEXT_FILE_NAME).exists()
    monkeypatch.setenv("SMSGATE_NUMBER_KEY_NEXT", "00" * 64)
    assert _typed(keys, "start", code=1) == ""
    assert "the next number key is the present one" in keys.said


def _typed(keys: Keys, *arguments: str, code: int = 0) -> str:
    return keys("number-rotate", *arguments, code=code)


async def _awaited(keys: Keys, *arguments: str, code: int = 0) -> str:
    """The command has an event loop of its own."""
    return await asyncio.to_thread(_typed, keys, *arguments, code=code)
