"""Each house rule catches what it is for and lets good code through.

A rule that never fails checks nothing, and one that fails on good code is soon switched off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tidy import rules_imports, rules_prose, rules_python, rules_sql, rules_text, test_tree
from tests.tidy.source import Source, snippet, sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.tidy.test_tree import Rule

LONG_BODY = "".join(f"    x{n} = {n}\n" for n in range(51))
LONG_METHOD = LONG_BODY.replace("    ", "        ")
LONG_DOCSTRING = '    """One.\n' + "    more\n" * 60 + '    """\n    return 1\n'

HALF = "one two three four five six seven eight nine ten eleven twelve thirteen"
LONG = f"{HALF} and {HALF}"
FITS = "a b c d e f g h i j k l m n o p q r s t u v w x y."


def code(text: str) -> Source:
    return snippet("smpp/window.py", text)


CAUGHT: dict[Rule, list[Source]] = {
    rules_python.function_length: [
        code(f"def long():\n{LONG_BODY}"),
        code(f"class A:\n    async def long(self):\n{LONG_METHOD}"),
    ],
    rules_python.module_length: [code("x = 1\n" * 401)],
    rules_python.module_docstring: [
        code("x = 1\n"),
        code('"""Window."""\nx = 1\n'),
        code(""),
        snippet("smpp/__init__.py", "x = 1\n"),
    ],
    rules_prose.short_sentences: [
        code(f'"""{LONG}."""\n'),
        code(f'"""Short. {LONG}. Short."""\n'),
        code(f'def f():\n    """Short.\n\n    - {LONG}\n    """\n'),
        code(f'class A:\n    async def f(self):\n        """{HALF};\n        {HALF}"""\n'),
        code(f"# {HALF}\n# and {HALF}\nx = 1\n"),
        code(f"x = 1  # {LONG}\n"),
        snippet("dlr/sql/ledger.sql", f"-- name: a\n-- {HALF}:\n-- {HALF}\nSELECT 1;\n"),
    ],
    rules_prose.owns_and_must_not: [
        code('"""Owns the numbers in flight."""\n'),
        code('"""Numbers in flight. Must not read a clock."""\n'),
        code('"""The owner must not. Disowns nothing."""\n'),
    ],
    rules_python.module_state: [
        code("cache = {}\n"),
        code("cache: dict[str, int] = {}\n"),
        code("seen = set()\n"),
        code("waiting = collections.deque[int]()\n"),
        code("squares = [n * n for n in range(9)]\n"),
        code("TABLE = {}\ndef f():\n    TABLE['a'] = 1\n"),
        code("TABLE = {}\ndef f():\n    del TABLE['a']\n"),
        code("TABLE = []\nclass A:\n    def f(self):\n        TABLE.append(1)\n"),
        code("import table\ndef f():\n    table.TABLE.clear()\n"),
        code("count = 0\ndef f():\n    global count\n    count += 1\n"),
    ],
    rules_python.clock_and_chance: [
        code("import time\nx = time.monotonic()\n"),
        code("from time import monotonic_ns as now\nx = now()\n"),
        code("import time\ndef f(clock=time.time):\n    return clock()\n"),
        code("from datetime import UTC, datetime\nx = datetime.now(UTC)\n"),
        code("import datetime\nx = datetime.datetime.now(None)\n"),
        code("import random\nx = random.random()\n"),
        code("import random\nx = random.Random()\n"),
        code("from random import uniform\nx = uniform(0, 1)\n"),
        code("import asyncio\nx = asyncio.get_running_loop().time()\n"),
        code("def f(self):\n    return self.loop.time()\n"),
    ],
    rules_python.banned_words: [
        snippet("smpp/utils.py", "x = 1\n"),
        snippet("smpp/common/pdu.py", "x = 1\n"),
        code("class SessionManager: ...\n"),
        code("def encode_helper(): ...\n"),
        code("def f(pool_manager): ...\n"),
        code("def f(self):\n    self.manager = 1\n"),
        code("import smpp.pdu as pdu_utils\n"),
    ],
    rules_python.constant_eviction: [
        code("del self._known[next(iter(self._known))]\n"),
        code("seen: dict[int, int] = {}\noldest = next(iter(seen))\n"),
    ],
    rules_python.safe_unions: [
        code("import msgspec\nSpan = Share | tuple[Share, Share]\n"),
        code("from msgspec import Struct\nclass A(Struct):\n    a: tuple[int, int] | Share\n"),
    ],
    rules_python.no_print: [code("def f():\n    print(1)\n")],
    rules_imports.imports_are_named: [
        code("import yaml\n"),
        code("def f():\n    from hypothesis import given\n"),
        snippet("clients/python/smsgate_client/client.py", "import msgspec\n"),
        snippet("tests/smpp/test_window.py", "import nobody.at_all\n"),
    ],
    rules_sql.sql_in_files: [
        code('x = """SELECT id\n  FROM message"""\n'),
        code('x = (\n    "INSERT INTO outbox (id) "\n    "VALUES ($1)"\n)\n'),
        code('x = f"""\n  UPDATE {table} SET a = 1\n  WHERE id = $1"""\n'),
        code('x = """CREATE TABLE a\n (id bigint)"""\n'),
        code('x = "with gone as (\\ndelete from outbox) select 1"\n'),
    ],
    rules_text.nothing_unfinished: [
        code("x = 1  # TODO: more\n"),
        snippet("docker/compose.yaml", "# FIXME\n"),
    ],
    rules_text.no_machine_paths: [
        snippet("README.md", "cd /home/someone/smsgate\n"),
        code('x = "/root/smsgate"\n'),
    ],
}

LET_THROUGH: dict[Rule, list[Source]] = {
    rules_python.function_length: [
        code(f"def documented():\n{LONG_DOCSTRING}"),
        snippet("tests/smpp/test_window.py", f"def test():\n{LONG_BODY}"),
    ],
    rules_python.module_length: [code("x = 1\n" * 400)],
    rules_python.module_docstring: [
        code('"""Owns the numbers in flight. Reads no clock."""\nx = 1\n'),
        snippet("smpp/__init__.py", ""),
    ],
    rules_prose.short_sentences: [
        code(f'"""{FITS} {FITS}"""\n'),
        code(f'"""(One.) {FITS}\n\n- {FITS}\n- {FITS}\n"""\n'),
        code(f'"""Short.\n\n    {LONG}\n\nShort.\n"""\n'),
        code(f"# {HALF}\n\n# {HALF}\nx = 1  # {HALF}\n# {HALF}\n"),
        code(f"# `{LONG}` -> ``{LONG}``.\n"),
        code(f"x = '{LONG}'\n"),
        snippet("dlr/sql/ledger.sql", f"-- name: a\n-- {FITS}\n-- {FITS}\nSELECT 1;\n"),
    ],
    rules_prose.owns_and_must_not: [
        code('"""Owns the numbers in flight.\n\nIt must\nnot read a clock."""\n'),
        snippet("smpp/__init__.py", ""),
    ],
    rules_python.module_state: [
        code("TABLE = {}\nfor n in range(9):\n    TABLE[n] = n * n\n"),
        code("names: Final = ['a']\n__all__ = ['a']\npair = (1, 2)\n"),
        code("TABLE = {1: 2}\ndef f():\n    found = []\n    found.append(TABLE[1])\n"),
    ],
    rules_python.clock_and_chance: [
        code("def f(now: int) -> int:\n    return now\n"),
        code("from datetime import datetime\nx = datetime.fromtimestamp(0)\n"),
        code("import random\ndef f(chance: random.Random): ...\nx = random.Random(7)\n"),
        code("def f(row):\n    return row.time, row.random\n"),
        snippet("benchmarks/end_to_end.py", "import time\nx = time.monotonic()\n"),
    ],
    rules_python.banned_words: [
        code("from contextlib import contextmanager\n@contextmanager\ndef f(): ...\n"),
        snippet("gateway/commands.py", "def communicate(commonwealth): ...\n"),
    ],
    rules_python.constant_eviction: [
        code("self._known: OrderedDict[int, int] = OrderedDict()\nx = next(iter(self._known))\n"),
        code("sender = next(iter(account.senders), '')\n"),
    ],
    rules_python.safe_unions: [
        code("import msgspec\nSpan = Share | tuple[Share, ...]\nPair = tuple[int, int] | None\n"),
        code("def f() -> int | tuple[int, int]: ...\n"),
    ],
    rules_python.no_print: [
        snippet("gateway/cli.py", "print(1)\n"),
        snippet("gateway/demo/report.py", "print(1)\n"),
        snippet("benchmarks/end_to_end.py", "print(1)\n"),
    ],
    rules_imports.imports_are_named: [
        code("import asyncio.events, smpp.pdu\nfrom msgspec.json import decode\n"),
        snippet("tests/smpp/test_window.py", "import yaml\nfrom smsgate_client import Client\n"),
        snippet("docs/examples/send.py", "import nobody.at_all\n"),
    ],
    rules_sql.sql_in_files: [
        code('x = "SELECT id FROM message WHERE id = $1"\n'),
        code('def f():\n    """SELECT id\n    FROM message"""\n'),
        code('x = f"CREATE TABLE {leaf};\\nALTER TABLE {table} ATTACH PARTITION {leaf}"\n'),
        code('x = """Select a message.\nThen read it."""\n'),
    ],
    rules_text.nothing_unfinished: [code('signature = "【XX商城】"\n')],
    rules_text.no_machine_paths: [code("# a checkout under /root moves to /var/lib/smsgate\n")],
}


def cases(table: Mapping[Rule, Sequence[Source]]) -> list[tuple[Rule, Source]]:
    return [(rule, source) for rule, examples in table.items() for source in examples]


@pytest.mark.parametrize(("rule", "source"), cases(CAUGHT))
def test_rule_catches(rule: Rule, source: Source) -> None:
    faults = list(rule(source))
    assert faults
    assert all(fault.startswith(f"{source.path}:") for fault in faults)


@pytest.mark.parametrize(("rule", "source"), cases(LET_THROUGH))
def test_rule_lets_through(rule: Rule, source: Source) -> None:
    assert list(rule(source)) == []


def test_each_rule_on_the_tree_is_proved_here() -> None:
    assert {rule for rule, _ in test_tree.RULES} == set(CAUGHT) == set(LET_THROUGH)


MIGRATION = snippet(
    "storage/migrations/0001_initial.sql",
    "-- Insert-only. Writer: gateway.accept.\n"
    "CREATE TABLE message (id bigint);\n"
    "CREATE TABLE click (id bigint);  -- Writer: nobody reads this comment\n",
)
TABLES = {"message": "gateway.accept", "click": None}


def test_tables_and_their_writers_are_read_from_the_migration() -> None:
    assert rules_sql.declared_tables([MIGRATION]) == TABLES


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("dlr/sql/report.sql", "-- name: clear\nDELETE\n  FROM message WHERE id < $1;\n"),
        ("dlr/report.py", 'x = "UPDATE ONLY message SET parts = 1"\n'),
        ("dlr/report.py", 'await connection.copy_records_to_table("message", records=rows)\n'),
        ("dispatch/sql/outbox.sql", "INSERT INTO message VALUES ($1);\n"),
    ],
)
def test_a_table_written_by_another_room_is_caught(path: str, text: str) -> None:
    faults = list(rules_sql.one_writer_per_table([snippet(path, text)], TABLES))
    assert len(faults) == 1
    assert "whose writer is messages" in faults[0]


def test_a_table_with_two_writing_packages_is_caught() -> None:
    insert = "INSERT INTO click VALUES ($1);\n"
    two = [snippet("shortlinks/sql/click.sql", insert), snippet("dlr/sql/click.sql", insert)]
    assert list(rules_sql.one_writer_per_table(two[:1], TABLES)) == []
    assert list(rules_sql.one_writer_per_table(two, TABLES)) == [
        "click is written by dlr and shortlinks: name its one writer in the migration"
    ]


def test_one_number_for_two_locks_is_caught() -> None:
    take, leave = "SELECT pg_try_advisory_lock(7);\n", "SELECT pg_advisory_unlock(7);\n"
    one = snippet("gateway/sql/a.sql", f"{take}-- pg_advisory_lock(8)\n{leave}")
    assert list(rules_sql.one_purpose_per_lock([one, one])) == []
    two = [one, snippet("dlr/sql/b.sql", "SELECT pg_advisory_xact_lock_shared(7);\n")]
    assert list(rules_sql.one_purpose_per_lock(two)) == [
        "advisory lock 7 is taken in dlr/sql/b.sql and gateway/sql/a.sql"
    ]


def test_reading_or_naming_a_table_is_not_writing() -> None:
    reading = [
        snippet("dlr/sql/a.sql", "-- never DELETE FROM message\nSELECT 1 FROM message FOR UPDATE;"),
        snippet("dlr/report.py", '"""UPDATE message"""\nx = "cannot update message 7"\n'),
    ]
    assert list(rules_sql.one_writer_per_table(reading, TABLES)) == []


def test_dead_links_are_caught(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "here.md").write_text("# The One, Here\n", encoding="utf-8")
    (tmp_path / "console.js").write_text("", encoding="utf-8")
    document = snippet(
        "README.md",
        "[a](docs/here.md) [b](docs/here.md#the-one-here)\n"
        "[c](https://example.org/x) `[d](gone.md)`\n"
        "```\n[e](gone.md)\n```\n"
        "[f](docs/gone.md) and [g](docs/here.md#elsewhere)\n"
        "[h]: gone.md\n",
    )
    assert list(rules_text.links_lead_somewhere(document, tmp_path)) == [
        "README.md:6: dead link: docs/gone.md",
        "README.md:6: no such heading: docs/here.md#elsewhere",
        "README.md:7: dead link: gone.md",
    ]
    page = snippet(
        "console.html",
        '<a href="/docs"></a><script src="console.js"></script>\n<link href="gone.css">\n',
    )
    assert list(rules_text.links_lead_somewhere(page, tmp_path)) == [
        "console.html:2: dead link: gone.css"
    ]


def test_a_make_target_that_is_not_there_is_caught() -> None:
    document = snippet(
        "README.md",
        "To make sure, run `make test` or `make tea`.\n"
        "```\nmake demo  # make it so\nmake coffee\n```\n",
    )
    assert list(rules_text.make_targets_exist(document, {"test", "demo"})) == [
        "README.md:1: the Makefile has no target tea",
        "README.md:4: the Makefile has no target coffee",
    ]


def test_a_path_that_is_not_there_is_caught(tmp_path: Path) -> None:
    for folder in ("docs", "dlr", "tests/dlr"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dlr" / "status.py").write_text("", encoding="utf-8")
    (tmp_path / "tests" / "dlr" / "test_status.py").write_text("", encoding="utf-8")
    document = snippet(
        "docs/page.md",
        "`dlr/status.py`, `dlr/`, `dlr/test_status.py`, `text/plain`, `GET /v1/x`, dlr/prose.py\n"
        "`dlr/gone.py` and `gone/`, `gone/folder`\n"
        "```\n`dlr/fenced.py`\n```\n",
    )
    assert list(rules_text.paths_exist(document, tmp_path)) == [
        "docs/page.md:2: no such path: dlr/gone.py",
        "docs/page.md:2: no such path: gone/folder",
    ]


def test_only_files_that_could_be_committed_are_looked_at(tmp_path: Path) -> None:
    for name in (
        ".venv/a.py",
        ".ci/run",
        "__pycache__/b.py",
        "smpp/c.py",
        "smpp/d.pyc",
        "e.egg-info/f.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    assert [str(each.path) for each in sources(tmp_path)] == [".ci/run", "smpp/c.py"]
