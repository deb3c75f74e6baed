"""Where the gateway of this configuration answers, and how it is believed.

Owns the address and the trust. Must not ask anything.
"""

from __future__ import annotations

import ssl

import aiohttp

from gateway.config import Config


def url_of(config: Config, target: str) -> str:
    """The address of `target`, which begins with a slash."""
    scheme = "http" if config.http.tls_certificate_file is None else "https"
    return f"{scheme}://{config.http.listen}{target}"


def connector(config: Config) -> aiohttp.TCPConnector:
    """Believes the certificate that the configuration names and no other, whatever its names.

    Raises ValueError where its file cannot be read.
    """
    file = config.http.tls_certificate_file
    if file is None:
        return aiohttp.TCPConnector()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it is asked by its address
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is the anchor
    try:
        context.load_verify_locations(cafile=file)
    except OSError as error:
        raise ValueError(f"http.tls_certificate_file {file}: {error}") from error
    return aiohttp.TCPConnector(ssl=context)
