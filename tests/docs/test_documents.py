"""Every command that a document shows is run, on a fresh machine, at noon and at midnight.

A page's commands are typed in order into one shell. The README comes first and starts the gateway;
the other pages go on with what it has made, as their readers do.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from html import unescape
from pathlib import Path
from secrets import token_hex

import pytest

from gateway.cli import main
from tests.debian import needs
from tests.docs.campaign_walk import REASON, SHOWN
from tests.docs.demo_picture import COLUMNS, lines_of
from tests.docs.pages import CONSOLE, PROMPT, Block, Command, blocks
from tests.docs.shapes import differences
from tests.docs.shell import HOURS, ROOT, Shell, TimeOfDay, shell
from tests.docs.test_demo_picture import SVG

LANGUAGES = frozenset({CONSOLE, "text", "toml", "mermaid", "python", "javascript", "php"})
NOT_RUN = {
    "README.md": ["the demo and this very test"],
    "CONTRIBUTING.md": ["builds .venv and runs every test"],
    "docs/benchmarks.md": ["takes half an hour, and changes this page"],
    "docs/campaigns.md": [f"{REASON}{name}" for name in SHOWN],
    "docs/dashboards.md": ["takes minutes, and changes the pictures"],
    "docs/numbers.md": ["needs the demo's data"],
}
BEFORE_ANY_MESSAGE = 6  # the commands of the README up to a gateway that is ready
# Nothing is in doubt on a fresh gateway, nobody has clicked, and no webhook was sent.
STATUS_OF_EXAMPLES = {
    "/v1/messages/$MESSAGE/resolve": 409, "/redeliver": 404, "/v1/suppressions/compare": 422,
    '/v1/breakers/connector/carrier-a"': 404, "/evidence": 404,  # it was never open
    "/v1/persons/erasures/": 404,
    "/v1/conversions": 422,
    "/v1/templates/lint": 200, "/v1/templates/render": 200, "/v1/templates/": 404,
    "/v1/links/bulk": 200, "/v1/links/": 404,
    '-X POST "$SMSGATE/v1/contacts" ': 422,  # its attributes are not defined yet
    "/v1/contacts/con_": 404, "/v1/contacts/merge": 422, "/v1/contacts/import/cim_": 404,
    "/v1/campaigns/cmp_": 404,
    '-X POST "$SMSGATE/v1/caps" ': 422, "/v1/caps/": 404,  # nobody has the tag yet
    "/v1/segments/preview": 200, "/v1/segments/presets": 200, "/v1/segments/": 404,
}  # fmt: skip
INLINE = re.compile(r"`((?:smsgate|make) [^`]*)`")
GIVEN_UP = re.compile(
    r"\+86\d{3}\*{4}\d{4}\s+number_unknown\s+1\s+001( 027)?\s+simulator\s+(-|20\S+)\s+"
    r"0\.\d\d\s+20\d\d-\d\d-\d\d\s+already"
)
DATE = re.compile(r"\b20\d\d-\d\d-\d\d\b")


def documents() -> list[Path]:
    """The README first: it starts what the others speak to."""
    first = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")]
    return [*first, *sorted((ROOT / "docs").rglob("*.md"))]


def every_block() -> list[Block]:
    return [block for page in documents() for block in blocks(page, ROOT)]


def consoles() -> list[Block]:
    return [block for block in every_block() if block.language == CONSOLE]


def to_run() -> list[Command]:
    """Those whose programs are here."""
    return [
        each
        for block in consoles()
        if not block.not_run and (not block.needs or shutil.which(block.needs))
        for each in block.commands()
    ]


@pytest.fixture
def typing(private_folder: Path, time_of_day: TimeOfDay) -> Iterator[Shell]:
    """At noon each `smsgate` is the installed program. At midnight, when the same is typed, it is
    forked, which spares a second of imports each time.
    """
    folder = private_folder / f"docs-{token_hex(4)}"
    with shell(folder, time_of_day, forks=time_of_day == "midnight") as opened:
        yield opened


def faults(typing: Shell, commands: Sequence[Command]) -> list[str]:
    """What failed, or printed something else than is shown."""
    found = []
    for command in commands:
        code, printed = typing.type(command.typed)
        if code:
            found.append(f"{command.place}: exit code {code}: {printed}")
        else:
            found += [f"{command.place}: {each}" for each in differences(command.printed, printed)]
    return found


@pytest.mark.timeout(600)  # a Python for each of a hundred commands, and a busy machine
@pytest.mark.parametrize("time_of_day", list(HOURS))
def test_o5_every_command_of_every_document_runs_as_shown(
    typing: Shell, time_of_day: TimeOfDay
) -> None:
    found = faults(typing, to_run())
    assert not found, "\n".join(found)
    _, answer = typing.type(
        "curl -s localhost:8080/v1/messages/preview --json"
        """ '{"to":"+8613812345678","text":"Sale","category":"marketing"}'"""
        ' -H "Authorization: Bearer $SMSGATE_API_KEY"'
    )
    # It was that time indeed: the example's configuration lets no marketing message out at night.
    assert ('"status":"held"' in answer[0]) is (time_of_day == "midnight"), answer


@pytest.mark.parametrize("time_of_day", ["midnight"])
def test_o5_every_example_of_the_docs_page_succeeds(typing: Shell) -> None:
    """On a fresh gateway, with the key and the ids that the page tells to make."""
    # What the README types before it sends anything.
    for command in to_run()[:BEFORE_ANY_MESSAGE]:
        assert typing.type(command.typed)[0] == 0, command.place
    _, page = typing.type("curl -s localhost:8080/docs")
    before, *examples = map(unescape, re.findall("<pre>(.*?)</pre>", "\n".join(page), re.DOTALL))
    code, printed = typing.type(before)
    assert code == 0, printed
    assert len(examples) > len(STATUS_OF_EXAMPLES)
    refused = []
    for example in examples:
        # The status on a line of its own, behind the answer.
        asked = example.replace("curl ", "curl -s -w '\\n%{http_code}' ", 1)
        _, answer = typing.type(asked)
        status = int([line for line in answer if line][-1])
        wanted = next((want for end, want in STATUS_OF_EXAMPLES.items() if end in example), 200)
        if status != wanted and (wanted, status // 100) != (200, 2):
            refused.append((example, answer))
    assert refused == []


def test_o5_few_blocks_are_not_run() -> None:
    reasons: dict[str, list[str]] = {}
    for block in every_block():
        if block.not_run:
            reasons.setdefault(block.page, []).append(block.not_run)
    by_page = {page: sorted(each) for page, each in NOT_RUN.items()}
    assert {page: sorted(each) for page, each in reasons.items()} == by_page


@pytest.mark.parametrize("program", ["prometheus", "php", "node"])
def test_o5_blocks_that_need_a_program_are_run_where_it_is(program: str) -> None:
    """Else they are skipped here, so that nobody takes it for a run. CI installs all but Node."""
    assert program in {block.needs for block in consoles()}
    if program == "node" and shutil.which(program) is None:
        pytest.skip("there is no node here: its blocks are not run")
    needs(program, {"php": "php-cli"}.get(program, program))


def test_o5_a_block_with_commands_is_a_console() -> None:
    for block in every_block():
        assert block.language in LANGUAGES, f"{block.page}:{block.line}"
        typed = any(line.startswith(PROMPT) for line in block.lines)
        assert typed is (block.language == CONSOLE), f"{block.page}:{block.line}"


def test_o5_what_is_typed_has_no_date_in_it() -> None:
    assert [command.place for command in to_run() if DATE.search(command.typed)] == []


def test_o5_a_key_has_one_name() -> None:
    for page in documents():
        words = set(re.findall(r"\$\{?(\w*KEY)\b", page.read_text(encoding="utf-8")))
        assert words <= {"SMSGATE_API_KEY"}, page.name


def test_o5_what_the_text_calls_a_command_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """`smsgate …` and `make …` in a sentence, and in the blocks that are not run."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = [
        (page.name, words)
        for page in documents()
        for words in INLINE.findall(page.read_text(encoding="utf-8"))
    ]
    commands += [
        (each.place, each.typed)
        for block in consoles()
        if block.not_run
        for each in block.commands()
    ]
    assert len(commands) > len(NOT_RUN)
    asked: dict[tuple[str, ...], str] = {}
    for place, typed in commands:
        program, *words = shlex.split(typed, comments=True)
        if program == "make":
            named = [word for word in words if "=" not in word]
            assert set(named) <= targets, f"{place}: {typed}"
        elif "…" not in typed:
            known = [word for word in words if re.fullmatch("[a-z]+(-[a-z]+)?", word)][:2]
            asked[tuple(known)] = typed
    for words_known, typed in asked.items():
        with contextlib.suppress(SystemExit):
            main([*words_known, "--help"])
        assert "usage: smsgate " + " ".join(words_known[:1]) in capsys.readouterr().out, typed


@pytest.mark.timeout(90)
def test_o5_the_demo_prints_what_its_picture_shows(private_folder: Path) -> None:
    folder = private_folder / "demo"
    run = subprocess.run(
        [ROOT / ".venv/bin/smsgate", "demo", "--once", "--messages", "300", "--data-dir", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    printed = [line.rstrip() for line in run.stdout.splitlines() if str(folder) not in line]
    assert [line for line in printed if len(line) > COLUMNS] == []
    # Of few messages some outcomes are missing, and a timeline has other events.
    shown = lines_of(SVG.read_text(encoding="utf-8"))
    assert headings(printed) == headings(shown)
    assert labels(printed) == labels(shown)
    _given_up(folder, printed)


def _given_up(folder: Path, report: Sequence[str]) -> None:
    """Of the demo's numbers `numbers prune --dry-run` says who is given up and why."""
    shown = next(
        each
        for block in consoles()
        for each in block.commands()
        if each.typed.startswith("smsgate numbers prune --dry-run")
    )
    run = subprocess.run(
        [ROOT / ".venv/bin/smsgate", "numbers", "prune", "--dry-run", "--config",
         folder / "smsgate.toml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    heading, *rows, totals = run.stdout.splitlines()
    assert heading == shown.printed[0]
    assert all(GIVEN_UP.fullmatch(row) for row in [*rows, shown.printed[1]]), rows
    assert totals.startswith(f"{len(rows)} numbers")
    told = [line for line in report if "number_unknown" in line]
    # A number that got several messages is one; one that was delivered to is free again.
    messages = int(told[0].split()[3]) if told else 0
    assert min(messages, 3) // 3 <= len(rows) <= messages


def labels(lines: Sequence[str]) -> list[str]:
    """What stands before the colon, of lines that say whose figures follow."""
    return [line.partition(":")[0] for line in lines if re.match("[a-z' ]+: ", line)]


def headings(lines: Sequence[str]) -> list[list[str]]:
    """The words above each table's columns."""
    return [line.replace("┃", " ").split() for line in lines if line.startswith("┃")]
