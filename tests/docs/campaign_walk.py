"""The calls that docs/campaigns.md shows, as the demo of a campaign has made them:

    python -m tests.docs.campaign_walk     # plays it and writes the blocks of the page anew

Owns which calls are shown, and what of their answers. Must not change a word outside the blocks.
"""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.demo.campaign.asking import Call
from gateway.demo.campaign.run import campaign_demo
from gateway.demo.campaign.win_back import WIN_BACK
from tests.docs.shapes import ANY

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "campaigns.md"
REASON = "the demo of a campaign calls it: "
COLUMNS = 150
Keep = Mapping[str, Any] | None
ALL = None
EACH = "*"

_STANDS: Mapping[str, Any] = dict.fromkeys(
    ("id", "state", "version", "revision", "planned", "fed", "skipped")
)
_CLICKS: Keep = dict.fromkeys(("clicks", "human_clicks", "conversions"))
_RATE: Keep = {"delivery_rate": ALL, "uctr_delivered": ALL}
_SHARE: Keep = dict.fromkeys(("numerator", "denominator", "value"))
# By the name of a call: which members of its answer are shown; None: all. Of a list the first item,
# but where its members are named under EACH. What chance decides of thirty people is left out.
# Behind a comma stands what else of a call is shown.
SHOWN: Mapping[str, Keep] = {
    "attribute": ALL,
    "import": {"id": ALL, "mode": ALL, "dry_run": ALL},
    "imported": dict.fromkeys(("id", "state", "encoding", "rows", "counts", "columns_ignored")),
    "rows": ALL,
    "suppress": dict.fromkeys(("added", "existing", "rejected")),
    "preview": dict.fromkeys(("contacts", "inside", "sample", "today")),
    "template": dict.fromkeys(("id", "reference", "longest", "lint")),
    "lint": dict.fromkeys(("errors", "warnings", "findings")),
    "power": ALL,
    "wrong": {"type": ALL, "status": ALL, "errors": ALL},
    "write": {**dict.fromkeys(("id", "state", "version")), "spec": ALL},
    "plan": ALL,
    "early": {"status": ALL, "errors": ALL},
    "test": {"campaign": {"state": ALL}, "messages": ALL},
    "start": _STANDS,
    "conversions": {
        "items": {
            "index": ALL,
            "conversion": dict.fromkeys(("id", "event", "message", "click", "attribution")),
        }
    },
    "events": {"items": ALL},
    "clicks": {
        "groups": {"key": ALL, "counts": _CLICKS},
        "total": {
            "counts": _CLICKS,
            "revenue": ALL,
            "steps": {EACH: dict.fromkeys(("event", "people", "of_clicked"))},
        },
    },
    "report": {
        "id": ALL,
        "provisional": ALL,
        "planned": ALL,
        "arms": {
            "arm": ALL,
            "template": ALL,
            "counts": dict.fromkeys(("accepted", "sent", "delivered", "clicked")),
            "rates": _RATE,
        },
        "experiment": dict.fromkeys(("verdict", "words")),
    },
    "compliance": {"compliance": ALL},
    "recipients": {
        "data": dict.fromkeys(("seq", "contact", "arm", "slot", "to", "status", "message"))
    },
    "excluded": ALL,
    "why": {"data": dict.fromkeys(("name", "state", "outcome", "text", "arm", "message"))},
    "decide": {**_STANDS, "decision": ALL},
    "finished": _STANDS,
    "second plan": dict.fromkeys(("segment", "planned", "excluded")),
    "cap": ALL,
    "pause": dict.fromkeys(("id", "state", "revision", "reason", "resumes_as")),
    "resume": dict.fromkeys(("id", "state", "revision")),
    "cancel": {"campaign": {"state": ALL}, "in_flight": ALL},
    "experiment": dict.fromkeys(("id", "state", "version")),
    "experiment plan": dict.fromkeys(
        ("segment", "planned", "holdout", "canary", "arms", "test", "excluded", "warnings")
    ),
    "report, its experiment": {
        "experiment": {
            **dict.fromkeys(
                ("metric", "verdict", "words", "better", "reasons", "decision", "decide_by",
                 "needed", "underpowered", "waiting", "differences", "planned_ratio")
            ),
            "arms": {
                **dict.fromkeys(("arm", "planned", "matured", "successes")),
                "delivery": _SHARE,
            },
        },
        "holdout": dict.fromkeys(("event", "lift", "why")),
    },
}  # fmt: skip


class Walk:
    """The blocks of the page, by the names of their calls."""

    def __init__(self, calls: Mapping[str, Call]) -> None:
        self._calls = calls

    def block(self, name: str) -> list[str]:
        """What is typed, and what is printed then."""
        call = self._calls[name.partition(",")[0]]
        answer = _told("".join(_pieces(call.answer, SHOWN[name])))
        return [*_typed(name, call), *wrapped(answer)]


def marks(text: str) -> list[str]:
    """The names of the calls that a page shows, in order."""
    return re.findall(rf"<!-- not run: {REASON}(.+) -->", text)


def rewritten(text: str, walk: Walk) -> str:
    """The page with its blocks as they were played."""

    def block(found: re.Match[str]) -> str:
        return f"{found[1]}```console\n" + "\n".join(walk.block(found[2])) + "\n```\n"

    form = rf"(<!-- not run: {REASON}(.+?) -->\n)```console\n.*?^```\n"
    return re.sub(form, block, text, flags=re.DOTALL | re.MULTILINE)


def wrapped(text: str, columns: int = COLUMNS) -> list[str]:
    """JSON in lines, cut behind commas that stand in no text."""
    lines, line = [], ""
    for piece in re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+,?|,', text):
        if line and len(line) + len(piece) > columns:
            lines.append(line)
            line = " "
        line += piece
    return [*lines, line]


def _typed(name: str, call: Call) -> list[str]:
    words = ["$ curl -K campaigns.curl"]
    if call.body is None and call.method == "POST":
        words.append("-X POST" if name != "import" else '-H "Content-Type: text/csv"')
    elif call.method not in ("GET", "POST"):
        words.append(f"-X {call.method}")
    address = f"localhost:8080{call.path}"
    words.append(shlex.quote(address) if "?" in address else address)
    if name == "import":
        words.append("--data-binary @customers.csv")
    if call.body is None:
        return [" ".join(words)]
    body = _told(json.dumps(_first(call.body), ensure_ascii=False, separators=(",", ":")))
    lines = wrapped(f"--json {shlex.quote(body)}", COLUMNS - 7)
    return [" ".join(words) + " \\", *(f"       {line.strip()}" for line in lines)]


def _told(text: str) -> str:
    """With the shop's name and the port that documents name."""
    text = re.sub(r"https://127\.0\.0\.1:\d+/", "https://shop.example/", text)
    return re.sub(r"(http://127\.0\.0\.1):\d+/", r"\1:8081/", text)


def _first(body: Any) -> Any:
    """Of a list of requests one."""
    if isinstance(body, dict):
        lists = ("suppressions", "conversions", "events")
        return {k: v[:1] if k in lists else v for k, v in body.items()}
    return body


def _pieces(value: Any, keep: Keep) -> Iterator[str]:
    """JSON with … for what is left out."""
    if keep is not None and isinstance(value, list) and EACH in keep:
        yield "["
        for place, each in enumerate(value):
            yield "," if place else ""
            yield from _pieces(each, keep[EACH])
        yield "]"
    elif keep is not None and isinstance(value, list):
        yield "["
        if value:
            yield from _pieces(value[0], keep)
        yield f",{ANY}]" if len(value) > 1 else "]"
    elif isinstance(value, dict):
        yield "{"
        shown = [(name, each) for name, each in value.items() if keep is None or name in keep]
        for place, (name, each) in enumerate(shown):
            yield f"{',' if place else ''}{json.dumps(name, ensure_ascii=False)}:"
            yield from _pieces(each, None if keep is None else keep[name])
        if len(shown) < len(value):
            yield f",{ANY}" if shown else ANY
        yield "}"
    else:
        yield json.dumps(value, ensure_ascii=False, separators=(",", ":"))


async def _play(folder: Path) -> Mapping[str, Call]:
    played = await campaign_demo(WIN_BACK, folder, once=True, console=Console())
    return played.calls


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        calls = asyncio.run(_play(Path(home)))
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), Walk(calls)), encoding="utf-8")
