"""The commands of `smsgate`, one module each with `run(arguments) -> exit code`.

Owns the one exception by which a command tells its operator why it could not.
"""

from __future__ import annotations


class CommandFailed(Exception):
    """What the operator is told, in one line. Exit code 1."""
