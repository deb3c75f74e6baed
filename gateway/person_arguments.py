"""The arguments of `smsgate persons`.

Owns these and their help texts. Must not import a command (gateway/cli.py says why).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.arguments import command, config_option

if TYPE_CHECKING:
    from gateway.arguments import Commands


def persons(commands: Commands) -> None:
    """`smsgate persons export|erase`."""
    parser = command(commands, "persons", "All that is stored of one person.", config=False)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, help_text in (
        ("export", "Print every row about a person as lines of JSON, numbers and texts in clear."),
        ("erase", "Erase a person; what says that they must not be texted stays, without number."),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        config_option(action)
        action.add_argument("number", help="E.164, for example +8613812345678")
        action.add_argument("--reason", required=True, help="why; kept in the audit")
        action.add_argument("--account", help="its rows alone; default: those of every account")
        if name == "erase":
            action.add_argument("--json", action="store_true")
