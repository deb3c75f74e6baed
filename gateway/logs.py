"""How the process logs: one JSON object a line, on standard error.

Owns the structlog set-up: our own lines and those of libraries in one shape, and a bound on lines
that repeat. Must not be given message texts or unmasked numbers by anybody.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor

from gateway.config.settings import Level
from gateway.log_repeats import Repeats

# What tells one line of an event from another. Ids and addresses do not: there is no end of them.
SUBJECTS = ("logger", "connector", "bind", "lane", "task", "account", "kind", "section", "listener")


def configure_logs(level: Level = "info") -> None:
    """JSON lines for our own events, and the same shape for the libraries' warnings."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    last: list[Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[*shared, bound_repeats(time.monotonic), *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, _repeated],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    handler.addFilter(LibraryRepeats(time.monotonic))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # aiohttp writes a traceback for every request that is no HTTP, so a port scanner could fill the
    # log. What our own handlers raise is logged where it is caught.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def bound_repeats(monotonic: Callable[[], float]) -> Processor:
    """Drop what repeats. The next line of its kind says in `repeated` how many were dropped."""
    repeats = Repeats()

    def bounded(_logger: object, _method: str, event: EventDict) -> EventDict:
        kind = (event.get("event"), *(str(event.get(subject)) for subject in SUBJECTS))
        dropped = repeats.held_back(kind, monotonic())
        if dropped is None:
            raise structlog.DropEvent
        if dropped:
            event["repeated"] = dropped
        return event

    return bounded


class LibraryRepeats(logging.Filter):
    """The same for lines of libraries. Their kind is the text before its arguments."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._repeats = Repeats()
        self._monotonic = monotonic

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        dropped = self._repeats.held_back((record.name, record.msg), self._monotonic())
        record.repeated = dropped
        return dropped is not None


def _repeated(_logger: object, _method: str, event: EventDict) -> EventDict:
    dropped = getattr(event["_record"], "repeated", 0)
    if dropped:
        event["repeated"] = dropped
    return event
