"""The data folder, where its database lives, and the account that PostgreSQL runs as.

Owns what lies where on disk, and with which modes. Must not change the mode of a folder it did not
make. Must not start anything but short checks of what an account can reach.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SYSTEM_FOLDER = Path("/var/lib/smsgate")
LOCATION_FILE = "postgres.location"
COMMAND_SECONDS_MAX = 300.0  # initdb on a slow disk is the longest; all else takes milliseconds

# `nobody` exists on every system we run on. PostgreSQL refuses a uid that the password file does
# not have, so an invented one would not do. Where other things run as nobody, an operator creates
# an account `smsgate`.
ACCOUNTS = ("smsgate", "nobody")

# A Unix socket path has 107 bytes at most; PostgreSQL adds "/.s.PGSQL.5432" to the folder.
SOCKET_FOLDER_BYTES_MAX = 107 - len("/.s.PGSQL.5432")


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be used. One line that tells the operator what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account that runs PostgreSQL. `None` in both ids: our own."""

    uid: int | None
    gid: int | None

    @classmethod
    def choose(cls) -> Account:
        """Our own account; or an unprivileged one when we are root, since PostgreSQL refuses to run
        as root.
        """
        if os.geteuid() != 0:
            return cls(None, None)
        for name in ACCOUNTS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        raise EmbeddedError(
            "running as root needs an unprivileged account for PostgreSQL: create one named smsgate"
        )

    def run(
        self,
        command: Sequence[str],
        *,
        pass_fds: Sequence[int] = (),
        cwd: Path = Path("/"),
        more: Mapping[str, str] = MappingProxyType({}),
        seconds_max: float = COMMAND_SECONDS_MAX,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, blocking. Its output goes to a file, never to a pipe.
        `more` is added to its environment.

        A server that outlives the command keeps what it inherited open. A pipe would then never
        end.
        """
        with tempfile.TemporaryFile("w+") as output:
            finished = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "LC_ALL": "C",
                    "TZ": "UTC",
                    **more,
                },
                user=self.uid,
                group=self.gid,
                extra_groups=None if self.uid is None else (),
                umask=0o077,
                pass_fds=pass_fds,
                timeout=seconds_max,
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(command, finished.returncode, output.read(), "")

    def can(self, access: str, path: Path) -> bool:
        """Whether the account may enter `path` (`x`) or write in it (`w`). The kernel is asked, as
        that account.
        """
        if self.uid is None:
            return os.access(path, {"x": os.X_OK, "w": os.W_OK}[access])
        return (
            self.run(["/bin/sh", "-c", 'test "$1" "$2"', "sh", f"-{access}", str(path)]).returncode
            == 0
        )

    def owns_folder(self, path: Path) -> bool:
        """Whether this is a private folder of the account, and no symbolic link to one."""
        try:
            status = path.lstat()
        except FileNotFoundError:
            return False
        owner = os.geteuid() if self.uid is None else self.uid
        private = stat.S_ISDIR(status.st_mode) and status.st_mode & 0o777 == 0o700
        return private and status.st_uid == owner

    def make_folder(self, path: Path) -> None:
        """Make a private folder of this account. Raises FileExistsError."""
        path.mkdir(mode=0o700)
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one database: its cluster, log, locks and password.

    As root the folder itself stays root's, so that the account cannot plant links in it. Only
    `cluster` and `log` belong to the account.
    """

    folder: Path
    account: Account

    @property
    def cluster(self) -> Path:
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "server.log"

    @property
    def password(self) -> Path:
        return self.folder / "password"

    @property
    def socket_record(self) -> Path:
        return self.folder / "socket"


def make_data_dir(path: Path) -> Path:
    """The absolute data folder, made if missing. Raises EmbeddedError when it cannot be made.

    Mode 0700; as root 0711, so that PostgreSQL's account can pass.
    """
    absolute = Path(os.path.abspath(path))
    try:
        absolute.parent.mkdir(parents=True, exist_ok=True)
        absolute.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"cannot make the data folder {absolute}: {error.strerror}") from error
    return absolute


def find_home(data_dir: Path, account: Account, on_progress: Callable[[str], None]) -> Home:
    """Where the database of `data_dir` lives, made if it is new. Raises EmbeddedError.

    It is inside the data folder if the account can get there. Otherwise it is under
    /var/lib/smsgate, and a file in the data folder says so. A place once chosen is kept: choosing
    again could silently begin an empty database.
    """
    inside = Home(data_dir / "postgres", account)
    location = data_dir / LOCATION_FILE
    try:
        if location.exists():
            return _recorded_home(location, account)
        if account.can("x", data_dir):
            _make_home(inside)
            return inside
        if inside.cluster.exists():
            raise EmbeddedError(
                f"the account that runs PostgreSQL cannot enter {data_dir}, where its database"
                " already is: give the folders above it the x permission for others"
            )
        return _make_outside_home(data_dir, location, account, on_progress)
    except PermissionError as error:
        raise EmbeddedError(
            f"no permission for {error.filename}: run smsgate as the user who made {data_dir}"
        ) from error
    except OSError as error:
        raise EmbeddedError(f"cannot prepare {data_dir}: {error}") from error


def existing_cluster(data_dir: Path) -> Path | None:
    """The folder of the cluster that `data_dir` has; None without one. Makes nothing."""
    home = existing_home(data_dir)
    cluster = None if home is None else home / "cluster"
    return cluster if cluster is not None and cluster.exists() else None


def existing_home(data_dir: Path) -> Path | None:
    """The folder around that cluster, also while an upgrade of it is not over."""
    absolute = Path(os.path.abspath(data_dir))
    location = absolute / LOCATION_FILE
    folder = absolute / "postgres"
    if location.exists():
        folder = Path(location.read_text(encoding="utf-8").strip())
    return folder if folder.exists() else None


def _recorded_home(location: Path, account: Account) -> Home:
    home = Home(Path(location.read_text(encoding="utf-8").strip()), account)
    if not home.folder.is_dir():
        raise EmbeddedError(
            f"the database of {location.parent} was kept in {home.folder}, which is gone:"
            f" bring it back, or remove {location} to begin with an empty one"
        )
    return home


def _make_outside_home(
    data_dir: Path, location: Path, account: Account, on_progress: Callable[[str], None]
) -> Home:
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    home = Home(SYSTEM_FOLDER / f"{data_dir.name[:40]}-{digest}", account)
    make_system_folder()
    _make_home(home)
    write_private(location, f"{home.folder}\n")
    on_progress(
        f"PostgreSQL cannot run as root and its account cannot enter {data_dir}:"
        f" the database lives in {home.folder}"
    )
    return home


def _make_home(home: Home) -> None:
    as_root = home.account.uid is not None
    home.folder.mkdir(mode=0o711 if as_root else 0o700, exist_ok=True)
    status = home.folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise EmbeddedError(
            f"{home.folder} belongs to uid {status.st_uid}: run smsgate as that user"
        )


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all, in place of an old one."""
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def make_system_folder() -> Path:
    """/var/lib/smsgate, made if missing. Anyone may pass through, nobody may list it."""
    SYSTEM_FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
    return SYSTEM_FOLDER


def socket_folder(home: Home) -> Path:
    """A private folder, short enough for a Unix socket, recorded in the home.

    A recorded one is used again, so clients of a restarted server find it at the same place.
    """
    if home.socket_record.exists():
        recorded = Path(home.socket_record.read_text(encoding="utf-8").strip())
        if _usable_socket_folder(recorded, home.account):
            return recorded
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")):
        if len(os.fsencode(parent)) + len("/smsgate-xxxxxxxx") > SOCKET_FOLDER_BYTES_MAX:
            continue
        if not home.account.can("x", Path(parent)):
            continue
        try:
            folder = Path(tempfile.mkdtemp(prefix="smsgate-", dir=parent))
        except OSError:
            continue
        if home.account.uid is not None and home.account.gid is not None:
            os.chown(folder, home.account.uid, home.account.gid)
        write_private(home.socket_record, f"{folder}\n")
        return folder
    raise EmbeddedError("no folder for PostgreSQL's socket: neither TMPDIR nor /tmp can be written")


def _usable_socket_folder(folder: Path, account: Account) -> bool:
    try:
        account.make_folder(folder)
    except FileExistsError:
        return account.owns_folder(folder)
    except OSError:
        return False
    return True
