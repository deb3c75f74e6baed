"""`smsgate completion bash|zsh|fish`: the script that completes the command line.

Owns nothing but the printing: the scripts are made beforehand (gateway/completions), since a Tab
must not start Python.
"""

from __future__ import annotations

import argparse
from importlib import resources


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0."""
    folder = resources.files("gateway").joinpath("completions")
    print(folder.joinpath(f"smsgate.{arguments.shell}").read_text("utf-8"), end="")
    return 0
