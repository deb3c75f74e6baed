"""Owns the rules on Python code that ruff, mypy and import-linter have no word for.

Each rule takes one Source and yields its violations.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.tidy.source import CODE, PACKAGES, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

# Tests tell a story from top to bottom and carry their tables with them: half as long again.
FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 400
TEST_FUNCTION_LINES_MAX = 75
TEST_MODULE_LINES_MAX = 600
DOCSTRING_CHARACTERS_MIN = 20

Function = ast.FunctionDef | ast.AsyncFunctionDef


def function_length(source: Source) -> Iterator[str]:
    """A function's body, its docstring left out, fits on one screen."""
    lines_max = FUNCTION_LINES_MAX if source.package in CODE else TEST_FUNCTION_LINES_MAX
    for node in source.nodes:
        if isinstance(node, Function) and (lines := body_lines(node)) > lines_max:
            yield source.at(node.lineno, f"{node.name} has {lines} lines, at most {lines_max}")


def body_lines(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    first = body[0]
    decorators = getattr(first, "decorator_list", [])
    start = min(first.lineno, *(each.lineno for each in decorators)) if decorators else first.lineno
    return (function.end_lineno or start) - start + 1


def module_length(source: Source) -> Iterator[str]:
    """A module is about one thing and short enough to read in one sitting."""
    lines_max = MODULE_LINES_MAX if source.package in CODE else TEST_MODULE_LINES_MAX
    if (lines := source.text.count("\n")) > lines_max:
        yield source.at(1, f"{lines} lines, at most {lines_max}")


def module_docstring(source: Source) -> Iterator[str]:
    """A module begins by saying what it owns; an empty __init__.py owns nothing."""
    if not source.tree.body:
        if source.path.name != "__init__.py":
            yield source.at(1, "an empty module")
    elif len(ast.get_docstring(source.tree) or "") < DOCSTRING_CHARACTERS_MIN:
        yield source.at(1, "the first lines must say what the module owns")


MUTABLE_LITERALS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_TYPES = frozenset(
    [
        "list",
        "dict",
        "set",
        "bytearray",
        "defaultdict",
        "deque",
        "OrderedDict",
        "Counter",
        "ChainMap",
        "WeakKeyDictionary",
        "WeakValueDictionary",
        "WeakSet",
        "Lock",
        "RLock",
        "Event",
        "Condition",
        "Semaphore",
        "Queue",
    ]
)
MUTATORS = frozenset(
    [
        "append",
        "appendleft",
        "extend",
        "insert",
        "add",
        "update",
        "setdefault",
        "pop",
        "popleft",
        "popitem",
        "remove",
        "discard",
        "clear",
        "sort",
        "reverse",
    ]
)
CONSTANT_NAME = re.compile(r"_?[A-Z][A-Z0-9_]*")


def module_state(source: Source) -> Iterator[str]:
    """No variable lives at module level. A table in capitals may, if no function changes it."""
    for statement in source.tree.body:
        for name, line in mutable_names(statement):
            if not CONSTANT_NAME.fullmatch(name) and name != "__all__":
                yield source.at(line, f"module-level mutable state: {name}")
    for function in outermost_functions(source.tree):
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield source.at(node.lineno, f"global {', '.join(node.names)}")
            elif (changed := changed_constant(node)) is not None:
                yield source.at(*changed)


def mutable_names(statement: ast.stmt) -> Iterator[tuple[str, int]]:
    if isinstance(statement, ast.Assign):
        targets: list[ast.expr] = statement.targets
    elif isinstance(statement, ast.AnnAssign) and "Final" not in ast.unparse(statement.annotation):
        targets = [statement.target]
    else:
        return
    if statement.value is not None and is_mutable(statement.value):
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id, statement.lineno


def is_mutable(value: ast.expr) -> bool:
    if isinstance(value, MUTABLE_LITERALS):
        return True
    return isinstance(value, ast.Call) and last_name(value.func) in MUTABLE_TYPES


def outermost_functions(node: ast.AST) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield child
        else:
            yield from outermost_functions(child)


def changed_constant(node: ast.AST) -> tuple[int, str] | None:
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        changed: ast.expr = node.value
    elif (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in MUTATORS
    ):
        changed = node.func.value
    else:
        return None
    name = last_name(changed)
    if not CONSTANT_NAME.fullmatch(name):
        return None
    return node.lineno, f"{name} is a constant and is changed here"


def last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Subscript):  # deque[int]()
        return last_name(node.value)
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


CLOCKS = frozenset(
    [
        "time.time",
        "time.time_ns",
        "time.monotonic",
        "time.monotonic_ns",
        "time.perf_counter",
        "time.perf_counter_ns",
        "time.sleep",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
    ]
)
SEEDED = "random.Random"  # made from a seed it is as good as an argument
# The shells: modules that hold a socket, a process or a timer anyway. Others are told the time.
MAY_READ_THE_CLOCK = (
    "benchmarks/",
    "clients/python/smsgate_client/async_client.py",
    "clients/python/smsgate_client/client.py",
    "clients/python/smsgate_client/webhooks.py",
    "messages/accept/idempotency.py",
    "messages/accept/accepter.py",
    "docker/grafana/pictures.py",
    "gateway/links_role.py",
    "gateway/links_status.py",
    "gateway/wiring/redirects.py",
    "gateway/wiring/web.py",
    "gateway/wiring/webhooks.py",
    "gateway/app.py",
    "gateway/commands/clocks.py",
    "gateway/commands/database_backup.py",
    "gateway/commands/database_restore.py",
    "gateway/commands/connectors.py",
    "gateway/commands/doctor.py",
    "gateway/commands/files.py",
    "gateway/commands/machine.py",
    "gateway/commands/messages.py",
    "gateway/commands/tail.py",
    "gateway/commands/top.py",
    "gateway/commands/webhooks.py",
    "gateway/demo/",
    "gateway/load/driving.py",
    "shortlinks/service.py",
    "gateway/logs.py",
    "gateway/maintenance.py",
    "shortlinks/clicks.py",
    "shortlinks/journal.py",
    "gateway/stopping.py",
    "gateway/systemd.py",
    "smpp/client.py",
    "smpp/probing.py",
    "smpp/server.py",
    "smpp/session_protocol.py",
    "smpp/simulator/carrier.py",
    "smpp/simulator/timetable.py",
    "storage/embedded.py",
    "storage/group_commit.py",
    "storage/pool.py",
)


def clock_and_chance(source: Source) -> Iterator[str]:
    """Time and chance come in as arguments, for a test to choose; only shells ask for them."""
    if not str(source.path).startswith(MAY_READ_THE_CLOCK):
        yield from clock_reads(source)


def clock_reads(source: Source) -> Iterator[str]:
    origins = imported_names(source)
    inner = {id(node.value) for node in source.nodes if isinstance(node, ast.Attribute)}
    for node in source.nodes:
        if isinstance(node, ast.Name | ast.Attribute) and id(node) not in inner:
            name = dotted_name(node, origins)
            asks = name in CLOCKS or name.startswith("random.") or name.endswith("loop.time")
            if asks and name != SEEDED:
                yield source.at(node.lineno, f"{name} outside a shell: take it as an argument")
        elif isinstance(node, ast.Call) and dotted_name(node, origins) == SEEDED and not node.args:
            yield source.at(node.lineno, f"{SEEDED} without a seed")


def imported_names(source: Source) -> dict[str, str]:
    """Local name -> where it comes from, in full."""
    origins: dict[str, str] = {}
    for node in source.nodes:
        if isinstance(node, ast.Import):
            origins |= {each.asname or each.name: each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            origins |= {
                each.asname or each.name: f"{node.module}.{each.name}" for each in node.names
            }
    return origins


def dotted_name(node: ast.expr, origins: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return origins.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        return f"{dotted_name(node.value, origins)}.{node.attr}"
    return dotted_name(node.func, origins) if isinstance(node, ast.Call) else "?"


# Words that say nothing about what is inside.
BANNED_WORDS = frozenset(
    {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
)
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def banned_words(source: Source) -> Iterator[str]:
    """A name says what a thing is; these say only that somebody needed a place for it."""
    parts = source.path.with_suffix("").parts
    yield from (source.at(1, f"named {part}") for part in parts if has_banned_word(part))
    for node in source.nodes:
        if (name := defined_name(node)) is not None and has_banned_word(name):
            yield source.at(getattr(node, "lineno", 1), f"named {name}")


def has_banned_word(name: str) -> bool:
    return not BANNED_WORDS.isdisjoint(word.lower() for word in WORD.findall(name))


def defined_name(node: ast.AST) -> str | None:
    if isinstance(node, Function | ast.ClassDef):
        return node.name
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return node.attr
    return node.asname if isinstance(node, ast.alias) else None


MAY_PRINT = frozenset({"cli", "commands", "demo", "benchmarks"})


def no_print(source: Source) -> Iterator[str]:
    """A service logs; only commands for people print."""
    if source.package not in PACKAGES or not MAY_PRINT.isdisjoint(
        source.path.with_suffix("").parts
    ):
        return
    for node in source.nodes:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ):
            yield source.at(node.lineno, "print outside the commands, the demo and the benchmarks")


def safe_unions(source: Source) -> Iterator[str]:
    """No fixed-length tuple shares a union with another type where msgspec may decode it.

    msgspec 0.22.0 then takes a scalar's constraint for the tuple's length, and writes past the end.
    An example is `convert([1, 2], Annotated[float, Meta(ge=0)] | tuple[float, float])`. It ends in
    a segmentation fault, at once or at the next garbage collection. A list or tuple[float, ...]
    with Meta(min_length=2, max_length=2) says the same and is safe.
    """
    if "msgspec" not in {name.split(".")[0] for name in imported_names(source).values()}:
        return
    for node in source.nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            sides = (node.left, node.right)
            if any(map(is_fixed_tuple, sides)) and not any(map(is_none, sides)):
                yield source.at(node.lineno, "msgspec cannot decode a fixed tuple in a union")


def is_fixed_tuple(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Subscript)
        and last_name(node.value) == "tuple"
        and "..." not in ast.unparse(node.slice)
    )


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def constant_eviction(source: Source) -> Iterator[str]:
    """What asks for its oldest entry is an OrderedDict.

    A dict keeps the places of deleted entries until it is resized, and next(iter(d)) walks over
    them. Evicting the oldest of 100 000 entries took up to 117 us instead of one.
    """
    ordered = {
        last_name(node.target)
        for node in source.nodes
        if isinstance(node, ast.AnnAssign) and "OrderedDict" in ast.unparse(node.annotation)
    }
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        kept = asked_for_its_first(node)
        if kept is not None and kept not in ordered:
            yield source.at(node.lineno, f"the oldest of {kept}, which is no OrderedDict")


def asked_for_its_first(node: ast.Call) -> str | None:
    """The name of d in next(iter(d)); what may be empty has a default and is asked once."""
    match node:
        case ast.Call(
            func=ast.Name("next"),
            args=[ast.Call(func=ast.Name("iter"), args=[ast.Name() | ast.Attribute() as kept])],
        ):
            return last_name(kept)
    return None
