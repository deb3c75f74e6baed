"""What `smsgate doctor` finds about this machine: ports, disk, how fast it syncs, open files.

Owns the measuring and its thresholds. Must not leave anything behind: what is synced has no name.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gateway import descriptors
from gateway.commands.findings import Finding
from gateway.config import Config
from gateway.config.values import Address

FREE_BYTES_MIN = 1 << 30
FREE_SHARE_MIN = 0.05
SYNCS = 20
SYNC_BYTES = 8_192  # one page of PostgreSQL
SYNC_SECONDS_MAX = 0.02  # a commit waits for at least one


def machine(config: Config, *, listening: bool) -> Iterator[Finding]:
    """`listening`: a gateway answers, so the ports are its own."""
    if not listening:
        yield from ports(config)
    folder = _existing(Path(config.database.data_dir).absolute())
    yield disk(folder)
    yield sync(folder)
    yield files(config)


def ports(config: Config) -> Iterator[Finding]:
    """Whether a gateway could listen where it is told to."""
    for name, address in (
        ("http.listen", config.http.listen),
        ("links.listen", config.links.listen),
    ):
        yield _port(name, address)


def _port(name: str, address: Address) -> Finding:
    what = f"port of {name}"
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((address.host, address.port))
    except OSError as error:
        remedy = f"set another {name}"
        if error.errno == errno.EADDRINUSE:
            remedy = f"`ss -ltnp 'sport = :{address.port}'` says who has it; or set another {name}"
        elif error.errno == errno.EACCES:
            remedy = f"set {name} to a port above 1023, or give the right to bind low ones"
        return Finding(what, False, f"{address}: {error.strerror}", remedy)
    return Finding(what, True, f"{address} is free")


def disk(folder: Path) -> Finding:
    """What is free where the data lies."""
    usage = shutil.disk_usage(folder)
    share = usage.free / usage.total
    free, total = usage.free / 1e9, usage.total / 1e9
    detail = f"{free:.1f} GB of {total:.1f} GB are free ({share:.0%}) in {folder}"
    if usage.free < FREE_BYTES_MIN or share < FREE_SHARE_MIN:
        return Finding("disk", False, detail, "make room, or keep less: [retention]")
    return Finding("disk", True, detail)


def sync(folder: Path) -> Finding:
    """How long the disk takes to have written a page."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            took = [_synced(file.fileno()) for _ in range(SYNCS)]
    except OSError as error:
        remedy = f"run this as the account of the gateway: it must be able to write in {folder}"
        return Finding("disk sync", True, f"not measured: {error.strerror}", remedy)
    median, worst = statistics.median(took), max(took)
    detail = f"{1000 * median:.1f} ms, at worst {1000 * worst:.1f} ms of {SYNCS}"
    if median > SYNC_SECONDS_MAX:
        return Finding("disk sync", True, detail, "each commit waits for it: take a faster disk")
    return Finding("disk sync", True, detail)


def _synced(descriptor: int) -> float:
    os.pwrite(descriptor, bytes(SYNC_BYTES), 0)
    began = time.perf_counter()
    os.fsync(descriptor)
    return time.perf_counter() - began


def files(config: Config) -> Finding:
    """Whether as many files may be open as connections are configured."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    shown = "unlimited" if limit == resource.RLIM_INFINITY else str(limit)
    asked = config.http.connections_max + config.links.connections_max
    detail = f"at most {shown}, for {asked} connections and {descriptors.reserved(config)} others"
    if descriptors.fitted(config, limit) != config:
        wanted = asked + descriptors.reserved(config)
        remedy = f"LimitNOFILE={wanted} in its unit, or `ulimit -n {wanted}`; else it takes fewer"
        return Finding("open files", True, detail, remedy)
    return Finding("open files", True, detail)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    while not folder.is_dir():
        folder = folder.parent
    return folder
