"""What `smsgate doctor` finds on the way to carriers: names, ports, and our own certificates.

Owns the remedies. Must not bind: `smsgate connectors probe` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from gateway.commands.findings import Finding
from gateway.config import Config
from gateway.config.connector_settings import ConnectorSettings
from smpp.probing import reached

REACH_SECONDS = 5.0
ENDS_SOON = timedelta(days=14)


async def carriers(config: Config, now: datetime) -> list[Finding]:
    """Of every connector, all at the same time."""
    found = await asyncio.gather(
        *(_reached(each, *place) for each in config.connectors for place in _places(each))
    )
    return [*found, *(each for one in config.connectors for each in certificates(one, now))]


def _places(settings: ConnectorSettings) -> list[tuple[str, int]]:
    places = [(settings.host, settings.port)]
    other = settings.receiver_host or settings.host, settings.receiver_port or settings.port
    return places if other in places else [*places, other]


async def _reached(settings: ConnectorSettings, host: str, port: int) -> Finding:
    what = f"way to {settings.name}"
    took = 0.0
    async for step in reached(host, port, REACH_SECONDS):
        took += step.milliseconds
        if step.ok:
            continue
        if step.name == "dns":
            return Finding(what, False, f"{host}: {step.said}", "correct its host, or the resolver")
        remedy = "ask the carrier whether it is up and lets our address in; look at our firewall"
        return Finding(what, False, f"{host}:{port}: {step.said}", remedy)
    return Finding(what, True, f"{host}:{port} answers in {took:.0f} ms")


def certificates(settings: ConnectorSettings, now: datetime) -> Iterator[Finding]:
    """Ours, that this carrier asks for, where it has ended or soon will."""
    if not settings.tls or settings.tls_certificate_file is None:
        return
    what = f"certificate of {settings.name}"
    try:
        text = Path(settings.tls_certificate_file).read_bytes()
        ends = x509.load_pem_x509_certificate(text).not_valid_after_utc
    except (OSError, ValueError) as error:
        yield Finding(what, False, str(error), "name a PEM certificate in tls_certificate_file")
        return
    left = ends - now
    detail = f"valid until {ends:%Y-%m-%d}"
    if left < ENDS_SOON:
        yield Finding(what, left > timedelta(), detail, "ask the carrier to sign another one")
    else:
        yield Finding(what, True, detail)
