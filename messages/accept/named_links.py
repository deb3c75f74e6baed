"""Links that a message names: `{{link:main}}` in its text, and where each leads.

Owns their reading, and how a recipient's values get into an address. Must not put a link into a
text (final_text.py), nor know which hosts are allowed. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote

from messages.json_text import pointer_step
from messages.models import AccountPolicy, FieldError
from messages.requests import MessageRequest
from shortlinks.code import SLOTS
from shortlinks.link_rules import LinkRefused
from shortlinks.rewrite import InvalidTargetError, normalise_target

BEGIN = "{{link:"
_MARK = re.compile(r"\{\{link:([^{}]{1,32})\}\}")
_VARIABLE = re.compile(r"\{\{([^{}]{1,32})\}\}")
_HOST = re.compile(r"[^/?#]*")

# Of an account, a URL, and the name of its field: as it is stored. Raises LinkRefused.
LinkTarget = Callable[[int, str, str], str]
Named = tuple[tuple[str, str], ...]  # the mark in the text, and the target


def any_target(_account: int, url: str, name: str) -> str:
    """Whatever may stand in a Location header."""
    try:
        return normalise_target(url)
    except InvalidTargetError as error:
        raise LinkRefused("link_url_invalid", f"{name}: {error}") from None


class NamedLinks:
    """Reads these fields of a message. One for the process."""

    def __init__(self, target: LinkTarget = any_target) -> None:
        self._target = target

    def read(
        self, request: MessageRequest, account: AccountPolicy, faults: list[FieldError]
    ) -> Named:
        """What the text names. What is wrong is added to `faults`. Quick where there is nothing."""
        if request.links is None and BEGIN not in request.text:
            return ()
        links, wanted = request.links or {}, dict.fromkeys(_MARK.findall(request.text))
        if max(len(links), len(wanted)) > SLOTS:
            faults.append(FieldError("links_too_many", f"links are at most {SLOTS}", "/links"))
            return ()
        if sum(map(request.text.count, map(_mark, wanted))) != request.text.count(BEGIN):
            detail = f"text has {BEGIN} without a name of 1 to 32 characters and }}}}"
            faults.append(FieldError("link_name_unknown", detail, "/text"))
        for name in wanted.keys() - links.keys():
            detail = f"text names the link {name}, which is not in links"
            faults.append(FieldError("link_name_unknown", detail, "/text"))
        found: list[tuple[str, str]] = []
        for name, link in links.items():
            where = f"/links{pointer_step(name)}"
            if name not in wanted:
                detail = f"text does not name this link as {BEGIN}{name[:32]}}}}}"
                faults.append(FieldError("link_unused", detail, where))
                continue
            try:
                url = _filled(link.url, request.params or {})
                found.append((_mark(name), self._target(account.id, url, "url")))
            except LinkRefused as refused:
                faults.append(FieldError(refused.code, str(refused), f"{where}/url"))
        return tuple(found)


def _mark(name: str) -> str:
    return f"{BEGIN}{name}}}}}"


def _filled(url: str, values: dict[str, str]) -> str:
    """The address with a recipient's values, percent-encoded. Raises LinkRefused."""
    host = _HOST.match(url.partition("://")[2])
    if host is not None and "{{" in host[0]:
        raise LinkRefused("link_url_invalid", "url: a value may not stand in its host")
    missing = [name for name in _VARIABLE.findall(url) if name not in values]
    if missing:
        raise LinkRefused("link_param_missing", f"url: params has no {missing[0]}")
    filled = _VARIABLE.sub(lambda found: quote(values[found[1]], safe="", errors="replace"), url)
    if "{{" in filled:
        raise LinkRefused("link_url_invalid", "url: {{ without a name and }}")
    return filled
