"""The way to carriers, and our certificates."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.commands.carriers import carriers, certificates
from gateway.config import Config
from gateway.rehearsal.processes import free_port
from tests.gateway.commands.test_advice import connector

NOW = datetime(2026, 11, 30, tzinfo=UTC)


async def test_every_place_of_every_connector_is_looked_at() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port, closed = server.sockets[0].getsockname()[1], free_port()
    config = Config(
        connectors=(
            connector(
                "a", host="127.0.0.1", port=port, bind="transmitter+receiver", receiver_port=closed
            ),
            connector("b", host="no.such.host.invalid"),
        )
    )
    async with server:
        near, far, unknown = await carriers(config, NOW)
    assert (near.what, near.ok) == ("way to a", True)
    assert (far.ok, str(closed) in far.detail) == (False, True)
    assert "firewall" in far.remedy
    assert not unknown.ok
    assert unknown.remedy == "correct its host, or the resolver"


@pytest.mark.parametrize(
    ("days", "ok", "tip"), [(90, True, False), (3, True, True), (-1, False, True)]
)
def test_a_certificate_that_ends_soon_is_told(
    tmp_path: Path, days: int, ok: bool, tip: bool
) -> None:
    path = tmp_path / "own.pem"
    path.write_bytes(certificate(NOW + timedelta(days=days)))
    one = connector("a", tls=True, tls_certificate_file=str(path))
    (found,) = certificates(one, NOW)
    assert (found.ok, bool(found.remedy)) == (ok, tip)


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    for content in (None, b"no certificate"):
        path = tmp_path / "own.pem"
        if content is not None:
            path.write_bytes(content)
        one = connector("a", tls=True, tls_certificate_file=str(path))
        (found,) = certificates(one, NOW)
        assert not found.ok
    assert list(certificates(connector("a"), NOW)) == []


def certificate(until: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(until - timedelta(days=365)).not_valid_after(until)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM)
