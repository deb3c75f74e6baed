"""No two modules need each other, not even for their types.

    python -m tests.tidy.circles

Owns that check for `make lint`. What may import what is in pyproject.toml.
"""

from __future__ import annotations

import sys
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import grimp

from tests.tidy.source import CODE

if TYPE_CHECKING:
    from collections.abc import Mapping


def circle(imports: Mapping[str, set[str]]) -> list[str] | None:
    """The modules of one circle, the first named again at the end; None if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return None


def main() -> int:
    graph = grimp.build_graph(*CODE, cache_dir=None)
    imports = {each: graph.find_modules_directly_imported_by(each) for each in graph.modules}
    found = circle(imports)
    if found is None:
        sys.stdout.write(f"No circle among {len(imports)} modules.\n")
        return 0
    sys.stderr.write(f"A circle: {' imports '.join(found)}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
