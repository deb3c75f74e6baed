"""The tree keeps the house rules. A failure lists every place as file:line: fault."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from tests.tidy import rules_imports, rules_prose, rules_python, rules_sql, rules_text
from tests.tidy.source import CLIENT, CODE, PACKAGES, ROOT, Source, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Rule = Callable[[Source], Iterator[str]]

EVERYTHING = tuple(sources())
# The rules quote what they forbid.
BUT_THE_RULES = tuple(each for each in EVERYTHING if each.path.parts[:2] != ("tests", "tidy"))
PYTHON = tuple(each for each in EVERYTHING if each.is_python)
CODE_PYTHON = tuple(each for each in PYTHON if each.package in CODE)
MIGRATIONS = tuple(each for each in EVERYTHING if each.path.match("storage/migrations/*.sql"))
# A migration is never edited, not even its comments.
STATEMENTS = tuple(
    each for each in EVERYTHING if each.path.suffix == ".sql" and each not in MIGRATIONS
)
PROSE = (*PYTHON, *STATEMENTS)
HOUSE = (*PACKAGES, "benchmarks", "docker", CLIENT)
CODE_PROSE = tuple(each for each in PROSE if each.is_python and each.package in HOUSE)
DOCUMENTS = tuple(each for each in EVERYTHING if each.path.suffix in {".md", ".html"})


RULES: tuple[tuple[Rule, tuple[Source, ...]], ...] = (
    (rules_python.function_length, PYTHON),
    (rules_python.module_length, PYTHON),
    (rules_python.module_docstring, PYTHON),
    (rules_prose.short_sentences, PROSE),
    (rules_prose.owns_and_must_not, CODE_PROSE),
    (rules_python.banned_words, PYTHON),
    (rules_python.module_state, CODE_PYTHON),
    (rules_python.clock_and_chance, CODE_PYTHON),
    (rules_python.no_print, CODE_PYTHON),
    (rules_python.safe_unions, CODE_PYTHON),
    (rules_python.constant_eviction, CODE_PYTHON),
    (rules_sql.sql_in_files, CODE_PYTHON),
    (rules_text.nothing_unfinished, BUT_THE_RULES),
    (rules_text.no_machine_paths, BUT_THE_RULES),
    (rules_imports.imports_are_named, PYTHON),
)


@pytest.fixture(scope="module", autouse=True)
def trees() -> Iterator[None]:
    """What would be kept longer slows every test behind these."""
    yield
    for each in EVERYTHING:
        each.forget()


@pytest.fixture(scope="module")
def faults() -> dict[Rule, list[str]]:
    """What each rule finds, file by file: each is parsed once for all rules, and forgotten."""
    of_path: dict[PurePosixPath, list[Rule]] = defaultdict(list)
    for rule, looked_at in RULES:
        for source in looked_at:
            of_path[source.path].append(rule)
    found: dict[Rule, list[str]] = {rule: [] for rule, _ in RULES}
    for source in EVERYTHING:
        for rule in of_path[source.path]:
            found[rule] += rule(source)
        source.forget()
    return found


@pytest.mark.parametrize(("rule", "looked_at"), RULES)
def test_rule_holds(
    rule: Rule, looked_at: tuple[Source, ...], faults: dict[Rule, list[str]]
) -> None:
    assert looked_at, "the rule looks at nothing"
    none(faults[rule])


def test_each_table_has_one_writer() -> None:
    tables = rules_sql.declared_tables(MIGRATIONS)
    code = [
        each
        for each in EVERYTHING
        if each.package in PACKAGES and each.path.suffix in {".py", ".sql"}
    ]
    assert tables, "no table found in the migrations"
    none(rules_sql.one_writer_per_table([each for each in code if each not in MIGRATIONS], tables))


def test_a_lock_has_one_purpose() -> None:
    statements = [
        each for each in EVERYTHING if each.package in PACKAGES and each.path.suffix == ".sql"
    ]
    none(rules_sql.one_purpose_per_lock(statements))


def test_links_lead_somewhere() -> None:
    none(fault for source in DOCUMENTS for fault in rules_text.links_lead_somewhere(source, ROOT))


def test_documents_name_targets_that_exist() -> None:
    targets = set(rules_text.TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    markdown = [each for each in DOCUMENTS if each.path.suffix == ".md"]
    none(fault for source in markdown for fault in rules_text.make_targets_exist(source, targets))


def test_documents_name_paths_that_exist() -> None:
    markdown = [each for each in DOCUMENTS if each.path.suffix == ".md"]
    none(fault for source in markdown for fault in rules_text.paths_exist(source, ROOT))


def test_shells_are_listed_only_where_they_read_the_clock() -> None:
    """An entry that nothing needs any more would let the next clock in unseen."""
    for entry in rules_python.MAY_READ_THE_CLOCK:
        files = [each for each in CODE_PYTHON if str(each.path).startswith(entry)]
        assert files, entry
        written = [each for each in files if each.text.strip()]
        assert not written or any(list(rules_python.clock_reads(each)) for each in written), entry


def test_mypy_looks_at_every_package() -> None:
    """The tests too: what one says when it fails is run at no other time."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    checked = set(project["tool"]["mypy"]["packages"])
    of_packages = {each.package for each in PYTHON} - {"docs"}  # examples, each a file alone
    assert of_packages == checked


def test_a_test_lies_in_the_folder_of_its_code() -> None:
    tests = [each for each in PYTHON if each.path.match("test_*.py")]
    mirrors = [each.path.relative_to("tests").parent for each in tests]
    folders = [folder for folder in mirrors if folder.parts[0] in PACKAGES]
    assert folders
    none(f"tests/{folder}: no such folder of code" for folder in {*folders} if not is_code(folder))


def is_code(folder: PurePosixPath) -> bool:
    return any((ROOT / folder).glob("*.py"))


def none(faults: Iterable[str]) -> None:
    found = sorted(faults)
    assert not found, "\n" + "\n".join(found)
