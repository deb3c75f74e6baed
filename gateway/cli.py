"""The command line: `smsgate …`.

Owns the arguments, the help texts and the exit codes: 0 done, 1 could not (one clear line, no
traceback), 2 wrong usage. `serve` has 78 for a configuration or key that it cannot use. Must not
import a command before it is called, so that `--help` answers at once (gateway/commands).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from gateway.arguments import Help, actions, command, completion, count, suppressions
from gateway.click_arguments import clicks
from gateway.commands import CommandFailed
from gateway.commands.moments import moment_or_span
from gateway.database_arguments import database
from gateway.key_arguments import keys
from gateway.live_arguments import looking
from gateway.load_arguments import load
from gateway.number_arguments import numbers
from gateway.operator_arguments import breakers, webhooks
from gateway.person_arguments import persons

if TYPE_CHECKING:
    from gateway.arguments import Commands

DEMO_PEOPLE_MAX = 180_000
EPILOG = """\
exit codes:
  0    done
  1    could not, or found something wrong
  2    wrong usage
  130  ended by Ctrl-C

Each command has --help, many with examples. --json answers programs.
A command that asks a running gateway finds its address in the configuration.
It takes a key from --key, else from $SMSGATE_API_KEY.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = parser_of_all().parse_args(argv)
    if arguments.command == "serve":
        signal.signal(signal.SIGHUP, _too_early)
    chosen = importlib.import_module(f"gateway.commands.{arguments.command}")
    try:
        code = int(chosen.run(arguments))
        if sys.stdout is not None:  # else it is closed
            sys.stdout.flush()
        return code
    except CommandFailed as error:
        print(f"smsgate: {error}", file=sys.stderr)
        if isinstance(error.__cause__, OSError):
            _forget_output()  # it may be what failed
        return error.code
    except BrokenPipeError:
        # The reader, such as `head`, has read enough.
        _forget_output()
        return 0
    except OSError as error:
        # Commands report their own errors. This is an answer of theirs that cannot be written.
        _forget_output()
        print(f"smsgate: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _forget_output() -> None:
    """Keep Python from failing once more at its own end."""
    if sys.stdout is not None:
        with contextlib.suppress(OSError):  # it is no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _too_early(*_of_signal: object) -> None:
    """SIGHUP before the configuration is read: nothing to do, but by default it would kill us."""


def parser_of_all() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="smsgate",
        description="SMS gateway: HTTP in, SMPP out, every receipt recorded.",
        epilog=EPILOG,
        formatter_class=Help,
    )
    parser.add_argument("--version", action="version", version=f"smsgate {version('smsgate')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _serve,
        _demo,
        _simulate,
        load,
        _migrate,
        database,
        _config,
        keys,
        _send,
        looking,
        _route,
        _receipts,
        _audit,
        persons,
        numbers,
        webhooks,
        breakers,
        suppressions,
        clicks,
        _doctor,
        completion,
    ):
        add(commands)
    return parser


def _serve(commands: Commands) -> None:
    parser = command(commands, "serve", "Run the gateway until SIGTERM.")
    parser.add_argument(
        "--accept-restored", action="store_true",
        help="go on with a database that was made from a backup",
    )  # fmt: skip
    parser.add_argument(
        "--role", choices=("all", "links"), default="all",
        help="links: redirect short links and nothing else, beside whole gateways; default: all",
    )  # fmt: skip


def _demo(commands: Commands) -> None:
    parser = command(
        commands,
        "demo",
        "Start PostgreSQL, an SMSC simulator and the gateway, send messages, print the report.",
        config=False,
    )
    parser.add_argument("--messages", type=count, default=5_000, metavar="N")
    parser.add_argument(
        "--campaign", action="store_true",
        help="play a campaign instead: the win-back case of 30 people, or --people",
    )  # fmt: skip
    parser.add_argument(
        "--people", type=_people, metavar="N", help="in the campaign, who act by chance"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of their chance")
    parser.add_argument("--once", action="store_true", help="end when the report is printed")
    parser.add_argument("--data-dir", default="./data/demo", metavar="DIR")


def _simulate(commands: Commands) -> None:
    parser = command(commands, "simulate", "Run an SMSC simulator until SIGTERM.", config=False)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=2775, help="0: any free port, printed")
    parser.add_argument("--profile", default="smooth", help="a ready profile's name or a TOML file")
    parser.add_argument("--ledger", metavar="FILE", help="write every submit_sm as a JSON line")
    parser.add_argument("--capture", metavar="FILE", help="write every PDU as a JSON line")
    parser.add_argument("--tls-certificate", metavar="FILE", help="speak TLS with this PEM file")
    parser.add_argument("--tls-key", metavar="FILE", help="its key; default: in the same file")


def _migrate(commands: Commands) -> None:
    parser = command(commands, "migrate", "Bring the database schema up to date.")
    parser.add_argument("--json", action="store_true")


def _config(commands: Commands) -> None:
    parser = command(commands, "config", "The configuration.", config=False)
    action = actions(parser)
    for name, help_text in (
        ("check", "Say whether the configuration is right."),
        ("show", "Print the configuration in effect, defaults and environment included."),
        ("reload", "Have the running gateway read its configuration again."),
    ):
        added = action(name, help_text)
        if name == "reload":
            added.add_argument("--key", help="API key with scope admin; default: $SMSGATE_API_KEY")
            added.add_argument(
                "--allow-removals", action="store_true",
                help="also if no connector is left, or an account that has keys goes",
            )  # fmt: skip


def _send(commands: Commands) -> None:
    parser = command(commands, "send", "Send one message through a running gateway.")
    parser.add_argument("to", help="E.164, for example +8613812345678")
    parser.add_argument("text")
    parser.add_argument("--from", dest="sender", metavar="SENDER")
    parser.add_argument("--category")
    parser.add_argument("--key", help="API key; default: $SMSGATE_API_KEY")
    parser.add_argument("--json", action="store_true")


def _route(commands: Commands) -> None:
    parser = command(commands, "route", "Say by which connector a message would go, and why.")
    parser.add_argument("action", choices=("explain",))
    parser.add_argument("number", help="E.164, for example +8613812345678")
    parser.add_argument(
        "--category", choices=("otp", "transactional", "service", "marketing"),
        help="default: the account's",
    )  # fmt: skip
    parser.add_argument("--sender", help="default: the account's first")
    parser.add_argument("--account", default="default")
    parser.add_argument("--tag", action="append", default=[], help="may be repeated")
    parser.add_argument("--json", action="store_true")


def _receipts(commands: Commands) -> None:
    parser = command(commands, "receipts", "Apply receipts that can be read only now.")
    parser.add_argument("action", choices=("reread",))
    parser.add_argument("--connector", required=True, metavar="NAME", help="whose receipts")
    parser.add_argument(
        "--since", type=moment_or_span, required=True, metavar="WHEN",
        help="delivered from then on: a span back from now such as 7d, a date, or RFC 3339",
    )  # fmt: skip
    parser.add_argument("--until", type=moment_or_span, metavar="WHEN", help="delivered before")
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    parser.add_argument("--json", action="store_true")


def _audit(commands: Commands) -> None:
    parser = command(commands, "audit", "Who changed or saw what.", config=False)
    action = actions(parser)
    verify = action("verify", "Look through the chain; exit code 1 if a row is not as written.")
    verify.add_argument(
        "--anchors",
        metavar="FILE",
        help="compare with anchors: a copy of audit.anchors, or logs",
    )
    listed = action("list", "Print rows, the newest first.")
    listed.add_argument("--action", dest="wanted_action", metavar="ACTION", help="numbers.reveal …")
    listed.add_argument("--actor", help='"key 7", operator, keyword …')
    listed.add_argument("--number", help="about this person, in E.164 form")
    for name, what in (("--since", "from then on"), ("--until", "before")):
        listed.add_argument(
            name, type=moment_or_span, metavar="WHEN",
            help=f"{what}: a span back from now such as 7d, a date, or RFC 3339",
        )  # fmt: skip
    listed.add_argument("--limit", type=count, default=100, metavar="N", help="default: 100")


def _doctor(commands: Commands) -> None:
    parser = command(commands, "doctor", "Check configuration, database and a running gateway.")
    parser.add_argument("--json", action="store_true")


def _people(text: str) -> int:
    """People of a rehearsed campaign: two arms, and as many as have a number there."""
    number = int(text)
    if not 2 <= number <= DEMO_PEOPLE_MAX:
        raise argparse.ArgumentTypeError(f"expected 2 to {DEMO_PEOPLE_MAX}")
    return number


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:  # uvloop would cut a larger one to 16 bits without a word
        raise argparse.ArgumentTypeError("expected 0 to 65535")
    return number


if __name__ == "__main__":
    sys.exit(main())
