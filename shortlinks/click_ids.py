"""Click ids: what a link's target is told, so that a site can say which click led to an order.

Owns their form, and to which hosts they are told. Must not know whether a click was kept. Pure.

A mark made with the installation's key stands behind the id: who makes ids up is found out.
"""

from __future__ import annotations

import hmac
from base64 import b32encode
from collections.abc import Collection
from hashlib import sha256
from urllib.parse import urlsplit

from shortlinks.host_list import HostList
from storage.ids import format_id, parse_id

KEY_PURPOSE = "click ids"
KEY_BYTES = 32
MARK_CHARACTERS = 8  # 40 bits
CHARACTERS_MAX = 64
PARAMETER = "cid"
TARGETS_REMEMBERED_MAX = 4_096


class ClickIds:
    """Ids of clicks as texts, and back."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def text(self, click_id: int) -> str:
        """`clk_…_…` for this click."""
        return f"{format_id('clk', click_id)}_{self._mark(click_id)}"

    def read(self, text: str) -> int | None:
        """The click that a text of ours names; None: it is none of ours."""
        if len(text) > CHARACTERS_MAX or not text.isascii():
            return None
        named, _, mark = text.rpartition("_")
        try:
            click_id = parse_id("clk", named)
        except ValueError:
            return None
        return click_id if hmac.compare_digest(mark, self._mark(click_id)) else None

    def _mark(self, click_id: int) -> str:
        digest = hmac.digest(self._key, click_id.to_bytes(8, "big"), sha256)
        return b32encode(digest[:5]).decode().lower()


class MarkedTargets:
    """Which targets get a click id, and the URL with it."""

    def __init__(self, ids: ClickIds, hosts: Collection[str], parameter: str = PARAMETER) -> None:
        """`hosts`: names in lower case; `*.shop.example` is every name below it."""
        self._ids = ids
        self._hosts = HostList(hosts)
        self._parameter = parameter
        self._known: dict[str, tuple[str, str] | None] = {}

    def location(self, target: str, click_id: int) -> str:
        """The target, with the click's id where its host may know it."""
        halves = self._known.get(target)
        if halves is None and target not in self._known:
            if len(self._known) >= TARGETS_REMEMBERED_MAX:
                self._known.clear()
            halves = self._known[target] = self._halves(target)
        return target if halves is None else halves[0] + self._ids.text(click_id) + halves[1]

    def _halves(self, target: str) -> tuple[str, str] | None:
        """What stands before the id and behind it; None: this target gets none."""
        parts = urlsplit(target)
        if (parts.hostname or "") not in self._hosts:
            return None
        names = {each.partition("=")[0] for each in parts.query.split("&")}
        if self._parameter in names:
            return None  # the sender says something of its own there
        before, mark, fragment = target.partition("#")
        joint = ("" if before[-1] in "?&" else "&") if "?" in before else "?"
        return f"{before}{joint}{self._parameter}=", mark + fragment
