"""The root key: from the environment, or a file made once and refused when others may read it."""

from __future__ import annotations

import base64
import multiprocessing
from pathlib import Path

import pytest

from storage.keys import KeyUnusable, NumberKeys, load_keys

ROOT = bytes(range(64))


@pytest.mark.parametrize("text", [ROOT.hex(), base64.b64encode(ROOT).decode(), f" {ROOT.hex()}\n"])
def test_the_environment_gives_the_root(tmp_path: Path, text: str) -> None:
    keys = load_keys(tmp_path, {"SMSGATE_NUMBER_KEY": text})
    assert keys.fingerprint == NumberKeys(ROOT).fingerprint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "abc", ROOT.hex()[:-2], "x" * 128, "é" * 128])
def test_a_malformed_root_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(KeyUnusable) as refused:
        load_keys(tmp_path, {"SMSGATE_NUMBER_KEY": text})
    assert not text or text not in str(refused.value)


def test_the_file_is_made_once_and_is_private(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"
    first = load_keys(data_dir, {})
    file = data_dir / "number.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in data_dir.iterdir()] == ["number.key"]
    assert load_keys(data_dir, {}).fingerprint == first.fingerprint


def test_processes_that_start_together_get_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_fingerprint, [str(tmp_path)] * 8))) == 1


def _fingerprint(data_dir: str) -> str:
    return load_keys(Path(data_dir), {}).fingerprint


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_keys(tmp_path, {})
    (tmp_path / "number.key").chmod(mode)
    with pytest.raises(KeyUnusable, match=r"number\.key can be read by others: chmod 600"):
        load_keys(tmp_path, {})


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    load_keys(tmp_path, {})
    (tmp_path / "number.key").write_text("")
    with pytest.raises(KeyUnusable, match="0 bytes instead of 64"):
        load_keys(tmp_path, {})


def test_purposes_get_keys_of_their_own() -> None:
    keys = NumberKeys(ROOT)
    assert keys.derive("a", 32) == NumberKeys(ROOT).derive("a", 32)
    assert keys.derive("a", 32) != keys.derive("b", 32)
    assert keys.fingerprint != NumberKeys(bytes(64)).fingerprint
    assert ROOT.hex() not in repr(keys)
