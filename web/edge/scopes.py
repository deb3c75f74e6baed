"""What an API key may be allowed to do: every scope, what it opens, and roles of several.

Owns the closed lists, which `smsgate keys --help` and the documents show. Must not check a key
(web/edge/auth.py). A key holds the scopes that its role had when it was made: it never comes to
open more by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "messages:send": "send, cancel and preview messages",
        "messages:read": "messages and their timelines",
        "reports:read": "reports and the queue; of connectors which are up",
        "inbound:read": "messages from handsets, senders masked",
        "suppressions:read": "the suppression list, numbers masked",
        "suppressions:write": "suppress numbers and allow them again",
        "suppressions:end_opt_outs": "end opt-outs, which else only the person's own word ends",
        "suppressions:exchange": "own suppressed numbers as hashes under a partner's key",
        "numbers:read": "how numbers fare, and what to think of them",
        "numbers:reveal": "numbers in clear on own lists, by `reveal=true` with a reason, audited",
        "consents:read": "the consent ledger, numbers masked",
        "consents:write": "record consent",
        "persons:export": "all that is stored of one person, in clear; with a reason, audited",
        "persons:erase": "erase one person; with a reason, audited",
        "audit:read": "who changed or saw what, when and why",
        "complaints:read": "complaints about own messages, numbers masked",
        "complaints:write": "tell of complaints",
        "contacts:read": "contacts and imports of them, numbers masked",
        "contacts:write": "make, change, import, merge and delete contacts",
        "events:write": "tell what contacts did",
        "links:read": "links of the account's own, and their clicks",
        "links:write": "make, change and end links of the account's own",
        "templates:read": "templates, their versions, and what a text would become",
        "templates:write": "make templates and further versions, and end them",
        "templates:approve": "say what providers answered, and waive warnings; audited",
        "campaigns:read": "campaigns, their recipients masked, what became of them; caps of groups",
        "campaigns:write": "write campaigns, plan them, send their tests; change caps of groups",
        "campaigns:send": "start, pause, resume and cancel campaigns; decide their experiments",
        "conversions:write": "tell what links led to",
        "segments:read": "segments, how many contacts are in one, and some of these, masked",
        "segments:write": "make, change and end segments, and name the members of static ones",
        "webhooks:read": "webhook endpoints and what became of deliveries",
        "webhooks:write": "make, change, test and end webhook endpoints, replay events",
        "policy:ignore": "send in quiet hours",
        "connectors:read": "how connectors stand, with their carriers' addresses and errors",
        "operations:read": "breakers and anomalies, with traffic of all accounts",
        "operations:write": "open and close breakers by hand, audited",
        "metrics:read": "/metrics, where it asks for a key",
        "admin": "what runs the gateway, and all of the above but numbers:reveal and persons:*",
    }
)
# No role reveals numbers, erases persons or is admin: who may do that is named with the scope.
ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "sender": ("messages:send", "messages:read", "conversions:write"),
        "marketer": (
            "messages:send", "messages:read", "reports:read", "suppressions:read", "consents:read",
            "numbers:read", "inbound:read", "links:read", "links:write", "contacts:read",
            "contacts:write", "events:write", "segments:read", "segments:write",
            "templates:read", "templates:write", "campaigns:read",
            "campaigns:write", "campaigns:send",
        ),
        "support": (
            "messages:read", "inbound:read", "suppressions:read", "suppressions:write",
            "consents:read", "consents:write", "numbers:read", "complaints:read",
            "complaints:write",
        ),
        "analyst": (
            "messages:read", "reports:read", "numbers:read", "complaints:read", "links:read",
            "segments:read", "campaigns:read",
        ),
        "developer": (
            "messages:send", "messages:read", "reports:read", "webhooks:read", "webhooks:write",
        ),
        "operator": (
            "messages:read", "reports:read", "connectors:read", "operations:read",
            "operations:write", "metrics:read",
        ),
        "auditor": ("audit:read", "reports:read", "suppressions:read", "consents:read"),
        "monitoring": ("metrics:read", "connectors:read"),
    }
)  # fmt: skip
DEFAULT_SCOPES = ("messages:send", "messages:read", "reports:read")
