"""The demo of a campaign from start to report.

Owns the order: carrier, shop, gateway, the marketer's walk, what people do, and the comparison. The
carrier's ledger and the cast are the judges. Must not reach the gateway but over HTTP and SMPP.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from gateway.demo.campaign import told, win_back
from gateway.demo.campaign.acting import People
from gateway.demo.campaign.asking import Asking, Call
from gateway.demo.campaign.carrier import CONNECTOR, Carrier, carrier
from gateway.demo.campaign.cast import Cast
from gateway.demo.campaign.judge import Line, compared
from gateway.demo.campaign.letters import letters
from gateway.demo.campaign.marketer import Campaign, Marketer
from gateway.demo.campaign.printing import Going, compared_table, going, power_line, step_lines
from gateway.demo.campaign.shop import make_certificate, shop, trusting
from gateway.demo.campaign.truth import ARMS, Figures, Truth, figures, never, truth_of
from gateway.demo.run import stay
from gateway.rehearsal import processes
from gateway.rehearsal.configuration import Configuration, Connector
from gateway.rehearsal.phones import TRUSTED
from gateway.rehearsal.processes import RehearsalError, Start
from gateway.rehearsal.running import gateway, postmaster

SCOPES = (
    "contacts:read", "contacts:write", "segments:read", "suppressions:write", "templates:read",
    "templates:write", "campaigns:read", "campaigns:write", "campaigns:send", "messages:read",
    "reports:read", "conversions:write", "events:write", "complaints:write",
)  # fmt: skip
MARK = "of-smsgate-demo"  # a file in a folder that may be removed
SENT_AGAIN_MAX = 1_000  # people; with more the second touch is planned, and that is all
_CONNECTOR = """\
binds = 2
window = 500
code_table = "map"
"""


class Played(msgspec.Struct):
    """A rehearsal that was played: the comparison, and the marketer's calls by their names."""

    lines: list[Line]
    calls: dict[str, Call]


async def campaign_demo(
    cast: Cast,
    data_dir: Path,
    *,
    once: bool,
    console: Console,
    database: str = "embedded",
    start: Start = processes.with_an_interpreter,
) -> Played:
    """Play it in a folder of its own below `data_dir`. `database`: an empty one. Raises
    RehearsalError when something does not start, or a figure is not what happened.
    """
    folder = fresh_folder(data_dir / "campaign")
    certificate = folder / "shop.pem"
    make_certificate(certificate, datetime.now(UTC))
    console.print(
        f"smsgate demo --campaign: {cast.people} people; starting PostgreSQL, a carrier, a shop "
        "and the gateway …",
        soft_wrap=True,
    )
    async with carrier(folder / "ledger.jsonl") as sim, shop(certificate) as link:
        config = _config(folder, database, sim.port, certificate)
        async with gateway(config, named="campaign-demo", scopes=SCOPES, start=start) as running:
            asking = Asking(running)
            played = await _Play(cast, asking, sim, console).all(link)
            if not once:
                await stay(console, running)
    differing = [line for line in played.lines if not line.ok]
    if differing:
        first = differing[0]
        raise RehearsalError(
            f"{len(differing)} figures differ, such as {first.what}: "
            f"{first.truth} happened, {first.report} told"
        )
    console.print(f"Every figure agrees. The data stays in {folder}.", soft_wrap=True)
    return played


class _Play:
    """One rehearsal under way."""

    def __init__(self, cast: Cast, asking: Asking, sim: Carrier, console: Console) -> None:
        self._cast = cast
        self._asking = asking
        self._sim = sim
        self._console = console
        self._marketer = Marketer(asking, cast)
        self._people = People(asking, sim, cast)
        self._report: Figures = {}

    async def all(self, link: str) -> Played:
        """Every step, and the comparison."""
        marketer, say = self._marketer, self._say
        job = await marketer.contacts()
        self._report |= told.of_import(job)
        say(f"import     {job['rows']} rows: {_words(job['counts'])}")
        counted = await marketer.count()
        say(f"segment    {counted['inside']} of {counted['contacts']}: {win_back.SEGMENT}")
        first, second, third = await marketer.templates(link)
        say("templates  3, and the linter finds nothing; each link answers")
        say(power_line(await marketer.power()))
        await marketer.mistaken()
        touch = await marketer.write("流失召回", win_back.SEGMENT, [first, second])
        self._report |= told.of_plan(touch.plan)
        say(f"plan       {_plan(touch)}")
        for warning in touch.plan["warnings"]:
            say(f"warning    {warning['detail']}")
        truth = await self._experiment(touch)
        again = await self._second(truth, third)
        if self._cast.people <= SENT_AGAIN_MAX:
            await marketer.ahead([first, second])
        return Played(await self._compare(truth, touch, again), self._asking.calls)

    async def _experiment(self, campaign: Campaign) -> Truth:
        """The test is texted, and people react. What they showed is decided by, and all is done."""
        planned, test = campaign.plan["planned"], sum(campaign.plan["test"].values())
        await self._marketer.test(campaign)
        with self._going(test) as heard:
            await self._marketer.start(campaign)
            await self._fed(campaign, test, heard)
        await self._tap(campaign)
        if test < planned:
            self._say("experiment waits for what the test shows")
            with self._going(planned - test) as heard:
                await self._marketer.stands(campaign, _decided)
                await self._fed(campaign, planned, heard)
            await self._tap(campaign)
        truth = await self._act(campaign)
        if test == planned:
            words = self._report["the better text"]
            await self._marketer.decide(campaign, 0, f"the report says: {words}")
        await self._end(campaign)
        return truth

    async def _fed(self, campaign: Campaign, people: int, heard: Going) -> None:
        """Until so many of the plan have got their text, and the carrier has said how it ended."""
        await self._marketer.stands(campaign, lambda stands: bool(stands["fed"] >= people), heard)
        await self._asking.until(lambda: heard.over, "the receipts")

    def _going(self, people: int) -> AbstractContextManager[Going]:
        return going(self._console, self._sim, people)

    async def _end(self, campaign: Campaign) -> None:
        stands = await self._marketer.finished(campaign)
        self._say(f"finished   {stands['fed']} fed, skipped: {_words(stands['skipped'])}")

    async def _tap(self, campaign: Campaign) -> None:
        """Who got the text and was not asked yet opens it, or not; until that is counted."""
        await self._people.tap()
        wanted = figures(self._truth(), self._cast)
        await self._marketer.clicks(campaign, _settled(told.of_clicks, wanted, _OPENED))

    async def _act(self, campaign: Campaign) -> Truth:
        """What people do behind their links, and say, until the gateway has counted it."""
        truth = self._truth()
        wanted = figures(truth, self._cast)
        await self._people.shop()
        groups = await self._marketer.led_to(campaign, _settled(told.of_clicks, wanted, _LED_TO))
        self._report |= told.of_clicks(groups)
        await self._people.speak()
        report = await self._marketer.report(campaign, _settled(told.of_report, wanted, _CLICKED))
        self._report |= told.of_report(report) | told.of_experiment(report)
        self._say(
            f"people     {truth.taps} taps, {truth.requests - truth.taps} visits by machines, "
            f"{truth.conversions} steps in the shop, {truth.replied} opt-outs, "
            f"{truth.complained} complaints"
        )
        self._say(f"report     which text is better: {self._report['the better text']}")
        return truth

    async def _second(self, truth: Truth, template: str) -> Campaign:
        """The second touch (二次触达): whoever has not logged in, and is not out."""
        await self._marketer.known_logins(truth.logged_in)
        touch = await self._marketer.write(
            "流失召回 二次触达", win_back.SECOND_SEGMENT, [template], which="second "
        )
        self._report |= told.of_second_plan(touch.plan)
        self._say(f"2nd touch  {_plan(touch)}")
        if self._cast.people <= SENT_AGAIN_MAX:
            await self._marketer.test(touch)
            with self._going(touch.plan["planned"]) as heard:
                await self._marketer.start(touch)
                await self._fed(touch, touch.plan["planned"], heard)
            await self._end(touch)
            await self._marketer.stop(template)
        return touch

    async def _compare(self, truth: Truth, touch: Campaign, again: Campaign) -> list[Line]:
        lines = compared(figures(truth, self._cast), self._report)
        sent_again = self._cast.people <= SENT_AGAIN_MAX
        must, did = never(self._truth(), again.plan["planned"] if sent_again else 0)
        lines += compared(must, did)
        if sent_again:  # with more people it may take too long
            await self._marketer.audit(touch)
        self._say(f"why        {await self._marketer.why(touch)}")
        self._console.print(compared_table(lines))
        self._console.print("\n".join(step_lines(self._report)), highlight=False)
        return lines

    def _truth(self) -> Truth:
        return truth_of(letters(self._sim.ledger(), self._cast), self._cast)

    def _say(self, words: str) -> None:
        self._console.print(words, highlight=False, soft_wrap=True)


_OPENED = ("requests for links", "of them by people")
_LED_TO = (*_OPENED, "conversions")
_CLICKED = tuple(f"{arm} clicked" for arm in ARMS)


def fresh_folder(folder: Path) -> Path:
    """The folder, empty: what an earlier rehearsal left there is removed. Raises RehearsalError for
    a folder that is none of ours, or that a gateway still works in.
    """
    if folder.exists():
        if not (folder / MARK).exists():
            raise RehearsalError(f"{folder} is no folder of this demo: name another --data-dir")
        with contextlib.suppress(ValueError, OSError):
            os.kill(postmaster(folder), 0)
            raise RehearsalError(f"PostgreSQL still runs in {folder}")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    return folder


def _config(folder: Path, database: str, port: int, certificate: Path) -> Path:
    configuration = Configuration(
        data_dir=folder,
        database=database,
        connectors=[Connector(CONNECTOR, port, _CONNECTOR)],
        links=TRUSTED,
        more=trusting(certificate),
    )
    return configuration.write(folder / "smsgate.toml")


def _settled(
    read: Callable[[Any], Figures], wanted: Figures, names: tuple[str, ...]
) -> Callable[[Any], bool]:
    """Whether an answer has as much of these figures as happened."""

    def done(answer: Any) -> bool:
        found = read(answer)
        return all(int(found.get(name, 0)) >= int(wanted[name]) for name in names)

    return done


def _decided(stands: dict[str, Any]) -> bool:
    return stands["decision"] is not None


def _plan(campaign: Campaign) -> str:
    plan = campaign.plan
    return (
        f"{plan['segment']} in the segment, {plan['planned']} planned, {_words(plan['excluded'])}"
    )


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "nobody"
