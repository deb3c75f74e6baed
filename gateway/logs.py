"""How the process logs: one JSON object a line on standard error, or words where a person reads.

Owns the structlog set-up: our own lines and those of libraries in one shape, their level, and a
bound on lines that repeat. Must not be given message texts by anybody; numbers and keys are masked.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

import structlog
from structlog.typing import EventDict, Processor

from gateway.config.settings import Level, LogForm
from gateway.log_masking import masked_fields
from gateway.log_repeats import Repeats
from web.edge.request_ids import SCOPE_FIELD, RequestScope

OURS = "smsgate"  # the logger whose level is that of our own lines
# What tells one line of an event from another. Ids and addresses do not: there is no end of them.
SUBJECTS = ("logger", "connector", "bind", "lane", "task", "account", "kind", "section", "listener")


def configure_logs(level: Level = "info", form: LogForm = "auto") -> None:
    """Our own events, and the libraries' warnings in the same shape.

    `form` auto: words where standard error is a terminal, else JSON.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _request,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    in_words = form == "text" or (form == "auto" and sys.stderr.isatty())
    last: list[Processor] = [structlog.processors.format_exc_info, _masked]
    last.append(_words() if in_words else structlog.processors.JSONRenderer())
    set_level(level)
    structlog.configure(
        processors=[_important, *shared, bound_repeats(time.monotonic), *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
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


def set_level(level: Level) -> None:
    """The least important of our own lines that are written, from the next line on."""
    logging.getLogger(OURS).setLevel(level.upper())


def _important(_logger: object, method: str, event: EventDict) -> EventDict:
    """Loggers are made once and kept, so a level that may change cannot be a part of them."""
    level = structlog.processors.NAME_TO_LEVEL[method]
    if not logging.getLogger(OURS).isEnabledFor(level):
        raise structlog.DropEvent
    return event


def _request(_logger: object, _method: str, event: EventDict) -> EventDict:
    """The id of the request that is being answered, if one is."""
    scope = event.pop(SCOPE_FIELD, None)
    if isinstance(scope, RequestScope) and scope.id is not None:
        event.setdefault("request_id", scope.id)
    return event


def _masked(_logger: object, _method: str, event: EventDict) -> EventDict:
    return masked_fields(event)


def _words() -> structlog.dev.ConsoleRenderer:
    """Lines for people. A traceback is text already."""
    return structlog.dev.ConsoleRenderer(timestamp_key="ts", colors=sys.stderr.isatty())


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
