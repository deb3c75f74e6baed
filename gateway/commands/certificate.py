"""The certificate of the API, for `smsgate doctor`.

Owns the finding. Must not change a file.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime

from gateway.commands.findings import Finding
from gateway.config import Config
from gateway.wiring.web import server_pair
from smpp.tls import TlsError

DAYS_MIN = 7
DAY_SECONDS = 86_400
_WHAT = "certificate of the API"
_RENEW = "renew it in its place: a new one is taken within seconds"


def certificate(config: Config, now: datetime) -> list[Finding]:
    """Whether it can be used, and for how long; nothing where the API speaks no TLS."""
    try:
        pair = server_pair(config.http)
    except TlsError as error:
        return [Finding(_WHAT, False, str(error), _RENEW)]
    if pair is None:
        return []
    days = (pair.ends - now.timestamp()) / DAY_SECONDS
    if days < 0:
        return [Finding(_WHAT, False, f"{pair.file} ended {-days:.0f} days ago", _RENEW)]
    ok = days > DAYS_MIN
    found = [Finding(_WHAT, ok, f"{pair.file} ends in {days:.0f} days", "" if ok else _RENEW)]
    key = config.http.tls_key_file or pair.file
    if os.stat(key).st_mode & stat.S_IROTH:
        found.append(
            Finding("key of the API", True, f"everybody can read {key}", f"chmod o= {key}")
        )
    return found
