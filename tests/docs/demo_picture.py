r"""Pictures of terminals from what commands print, docs/demo.svg for one:

    make demo ONCE=1 | .venv/bin/python -m tests.docs.demo_picture > docs/demo.svg
    make demo CAMPAIGN=1 ONCE=1 | .venv/bin/python -m tests.docs.demo_picture \
        "make demo CAMPAIGN=1 ONCE=1" > docs/campaign.svg
    smsgate doctor | .venv/bin/python -m tests.docs.demo_picture "smsgate doctor" > docs/doctor.svg
    smsgate top --once | .venv/bin/python -m tests.docs.demo_picture "smsgate top" > docs/top.svg

Owns the picture's form. A terminal of 80 columns, and nothing that the picture would have to fetch.
"""

from __future__ import annotations

import io
import re
import sys
from html import unescape

from rich.console import Console
from rich.text import Text

COLUMNS = 80
TITLE = "make demo ONCE=1"
_FONT_FACE = re.compile(r"@font-face \{.*?\}\n", re.DOTALL)
_WORDS = re.compile(r"<text [^>]*>([^<]*)</text>")


def picture(printed: str, title: str = TITLE) -> str:
    """The SVG of what was printed to no terminal."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(printed.rstrip("\n")))
    return _FONT_FACE.sub("", console.export_svg(title=title, unique_id=title.split()[1])) + "\n"


def lines_of(svg: str) -> list[str]:
    """What a picture shows, without its empty lines."""
    shown = [unescape(text) for text in _WORDS.findall(svg)]
    lines = [text.replace("\N{NO-BREAK SPACE}", " ").rstrip() for text in shown]
    return [line for line in lines[1:] if line]  # behind the title


if __name__ == "__main__":
    sys.stdout.write(picture(sys.stdin.read(), *sys.argv[1:]))
