"""The commands of `smsgate`, one module each with `run(arguments) -> exit code`.

Owns the one exception by which a command tells its operator why it could not. Must not hold a
command.
"""

from __future__ import annotations


class CommandFailed(Exception):
    """One line for the operator, and the exit code."""

    code = 1
