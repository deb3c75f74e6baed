"""How the process logs: one JSON object a line, on standard error.

Owns the structlog set-up. No message text and no unmasked number may be given to a logger.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs() -> None:
    """JSON lines for our own events, and for the libraries' warnings the same shape."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING,
        stream=sys.stderr,
        format='{"level":"%(levelname)s","logger":"%(name)s","event":"%(message)s"}',
    )
    # aiohttp writes a traceback for every request that is no HTTP: any port scanner could fill the
    # log. What our own handlers raise is logged where it is caught.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
