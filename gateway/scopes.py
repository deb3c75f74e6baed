"""What an API key may be allowed to do: every scope, and what it opens.

Owns the closed list, which `smsgate keys --help` and the documents show. Must not check a key
(web/auth.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "messages:send": "send, cancel and preview messages",
        "messages:read": "messages, their timelines and the queue",
        "reports:read": "reports, connectors by name and state",
        "inbound:read": "messages from handsets, senders masked",
        "suppressions:read": "the suppression list, numbers masked",
        "suppressions:write": "suppress numbers and allow them again",
        "numbers:read": "how a number fares",
        "consents:read": "the consent ledger, numbers masked",
        "consents:write": "record consent",
        "policy:ignore": "send in quiet hours",
        "admin": "everything, and what runs the gateway",
    }
)
DEFAULT_SCOPES = ("messages:send", "messages:read", "reports:read")
