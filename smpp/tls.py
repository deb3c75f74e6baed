"""Owns TLS: which files a side of a session needs, the contexts made of them, and what a failed
handshake means to whoever configured it. Must not open a connection.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass


class TlsError(Exception):
    """A certificate, key or CA file cannot be used; one line for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """A client's side. All files are PEM; the key is not encrypted."""

    ca_file: str | None = None  # None: the CAs that the system trusts
    server_name: str = ""  # sent as SNI and looked for in the certificate; "" is the host
    certificate_file: str | None = None  # for carriers that ask for one, with its chain
    key_file: str | None = None  # None: it is in certificate_file
    verify: bool = True  # False takes any certificate: for a laboratory, never for a carrier


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsServerSettings:
    """A server's side. All files are PEM; the key is not encrypted."""

    certificate_file: str
    key_file: str | None = None  # None: it is in certificate_file
    client_ca_file: str | None = None  # given: every client must show a certificate of this CA


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer. TlsError names the file that is wrong."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca_file is None:
        context.load_default_certs()
    if settings.ca_file is not None:
        _load_ca(context, settings.ca_file)
    if settings.certificate_file is not None:
        _load_certificate(context, settings.certificate_file, settings.key_file)
    elif settings.key_file is not None:
        raise TlsError(f"TLS: key_file {settings.key_file} without a certificate_file")
    return context


def server_context(settings: TlsServerSettings) -> ssl.SSLContext:
    """TLS 1.2 or newer. TlsError names the file that is wrong."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_certificate(context, settings.certificate_file, settings.key_file)
    if settings.client_ca_file is not None:
        _load_ca(context, settings.client_ca_file)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _load_ca(context: ssl.SSLContext, ca_file: str) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise TlsError(f"TLS: ca_file {ca_file}: {_why(error, 'no PEM certificate')}") from error


def _load_certificate(context: ssl.SSLContext, certificate_file: str, key_file: str | None) -> None:
    files = f"certificate_file {certificate_file}"
    if key_file is not None:
        files += f" with key_file {key_file}"
    try:
        # An empty password: without one OpenSSL would ask for it on the terminal.
        context.load_cert_chain(certificate_file, key_file, password="")
    except OSError as error:
        why = _why(error, "no PEM certificate with its own, unencrypted key")
        raise TlsError(f"TLS: {files}: {why}") from error


def _why(error: OSError, content: str) -> str:
    return content if isinstance(error, ssl.SSLError) else error.strerror or str(error)


# What OpenSSL calls a refusal -> what it means here. A TLS 1.3 server refuses a client's
# certificate after the client's handshake is over, so it shows as a connection that is lost.
CLIENT_CERTIFICATE_REFUSED = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_HANDSHAKE_FAILURE",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    }
)


def was_begun(error: OSError) -> bool:
    """Whether an attempt to connect with TLS failed in the handshake, not before it. A silence may
    be either, and counts.
    """
    begun = (ssl.SSLError, TimeoutError, ConnectionResetError, ConnectionAbortedError)
    return isinstance(error, begun)


def explain(error: BaseException) -> str | None:
    """What a failed handshake means, or None if it is not about TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS: the peer's certificate is refused: {error.verify_message}"
    if not isinstance(error, ssl.SSLError):
        return None
    name = error.reason or str(error)
    if name in CLIENT_CERTIFICATE_REFUSED:
        return f"TLS: the peer refuses our client certificate, or that there is none: {name}"
    if name in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return f"TLS: the peer does not speak TLS on this port: {name}"
    return f"TLS: {name}"
