"""The shop that the links of the demo's campaign lead to, over TLS as the linter wants it.

Owns its page, and a certificate for this machine that is good for a day. Must not know who comes.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.rehearsal.receiving import LOCAL_WEBHOOKS, serving

HOST = "127.0.0.1"
PATH = "/sale"
_DAY = datetime.timedelta(days=1)


def trusting(certificate: Path) -> str:
    """The section of smsgate.toml by which a gateway reaches the shop and trusts it."""
    return f'{LOCAL_WEBHOOKS}ca_file = "{certificate}"\n'


@contextlib.asynccontextmanager
async def shop(certificate: Path) -> AsyncIterator[str]:
    """The shop on a free port; the address of its page. The file is `make_certificate`'s."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.with_suffix(".key"))
    application = web.Application()
    application.router.add_get(PATH, _page)
    async with serving(application, HOST, tls=context) as url:
        yield url + PATH


def make_certificate(file: Path, now: datetime.datetime) -> None:
    """Write it to `file`, and with its key beside it, readable by nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the demo's shop")])
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(own, critical=False)
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    file.write_bytes(certificate)
    secret = file.with_suffix(".key")
    secret.touch(mode=0o600)
    secret.write_bytes(
        certificate
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text="<!doctype html><title>某某商城</title>", content_type="text/html")
