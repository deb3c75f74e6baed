"""Every error the API can answer, in one table, and its form on the wire (RFC 9457).

Owns codes, statuses, titles, and what a client is to do about each. Must not decide when one is
due. The table is also the page /docs/problems, which the `type` of an answer leads to.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from messages.models import FieldError, Refused
from storage.faults import RETRY_AFTER_SECONDS
from web.edge.campaign_problems import CAMPAIGN_KINDS
from web.edge.link_problems import LINK_KINDS
from web.edge.problem_kind import ProblemKind
from web.edge.repeat_problems import REPEAT_KINDS
from web.edge.version_problems import VERSION_KINDS

CONTENT_TYPE = "application/problem+json"
DOCUMENT = "/docs/problems"
UNAVAILABLE = 503


_REGISTERED = "https://iana.org/assignments/http-problem-types#"

_AGAIN = "Nothing was stored. Send the same request again after Retry-After seconds."

KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        **LINK_KINDS,
        **CAMPAIGN_KINDS,
        **REPEAT_KINDS,
        **VERSION_KINDS,
        "malformed_json": ProblemKind(400, "Malformed JSON", "Send one UTF-8 JSON document."),
        "malformed_request": ProblemKind(400, "Malformed request", "Correct the HTTP request."),
        "not_unconfirmed": ProblemKind(
            409,
            "Message not in doubt",
            "Ask for the message; only `unconfirmed` ones are resolved.",
        ),
        "message_expired": ProblemKind(409, "Message expired", "Drop it, or send a new message."),
        "key_missing": ProblemKind(
            401, "API key missing", "Send `Authorization: Bearer sk_…` (`smsgate keys create`)."
        ),
        "key_unknown": ProblemKind(
            401, "API key unknown", "The key is mistyped, or of another database; create one."
        ),
        "key_revoked": ProblemKind(
            401, "API key revoked", "Create another (`smsgate keys create`)."
        ),
        "key_expired": ProblemKind(401, "API key expired", "Create another, or rotate in time."),
        "wrong_keys_exceeded": ProblemKind(
            429, "Too many wrong keys", "Correct the key; ask again after Retry-After seconds."
        ),
        "scope_missing": ProblemKind(
            403, "Scope missing", "Use a key that was created with the scope named."
        ),
        "account_unknown": ProblemKind(
            403,
            "Account not configured",
            "The key's account is no longer in the configuration; add it or use another key.",
        ),
        "report_too_slow": ProblemKind(
            503, "Report too slow", "Ask for a shorter span with `since` and `until`."
        ),
        "unknown_group": ProblemKind(
            422, "Unknown dimension", "Name dimensions of this report, each once."
        ),
        "unknown_zone": ProblemKind(422, "Unknown time zone", "Name it as in `Asia/Shanghai`."),
        "zone_not_quarterly": ProblemKind(
            422,
            "Time zone without whole quarters",
            "Its offset from UTC is no multiple of 15 minutes then; name another zone.",
        ),
        "bad_span": ProblemKind(
            422, "Invalid span", "`since` before `until`, at most 400 days apart."
        ),
        "too_many_rows": ProblemKind(
            422, "Too many groups", "Ask for a shorter span or for fewer dimensions."
        ),
        "span_too_large": ProblemKind(
            422,
            "Too many messages to be read",
            "No sums are kept of this; `try` names parameters that would work.",
        ),
        "config_invalid": ProblemKind(
            422, "Configuration invalid", "Correct the file; nothing was changed."
        ),
        "reload_running": ProblemKind(
            409, "Reload running", "Ask again when the last changes are made."
        ),
        "rate_invalid": ProblemKind(422, "Rate invalid", 'Write it as "50/s" or "50/s,burst=10".'),
        "complaint_conflict": ProblemKind(
            409, "Complaint told otherwise", "Give another complaint an id of its own."
        ),
        "complaint_mismatch": ProblemKind(
            422, "Complaint does not fit its message", "Correct the message, number or campaign."
        ),
        "conversion_conflict": ProblemKind(
            409, "Conversion told otherwise", "Give another conversion an id of its own."
        ),
        "conversion_unknown": ProblemKind(
            422,
            "Nothing it could be of",
            "Send the `cid` as it came, the id of an own message, or an own short link. A click is "
            "known a second after it.",
        ),
        "currency_differs": ProblemKind(
            422,
            "Another currency",
            "Send values in the account's `currency`, and always the same under one id.",
        ),
        "value_invalid": ProblemKind(
            422, "Value invalid", 'Write it as a decimal in quotes: `"129.90"`.'
        ),
        "not_found": ProblemKind(404, "Not found", "Check the address or the id."),
        "method_not_allowed": ProblemKind(405, "Method not allowed", "Use a method in Allow."),
        "not_cancelable": ProblemKind(
            409,
            "Too late to cancel",
            "Only what was never given to a carrier can be canceled; see the status named.",
        ),
        "batch_canceled": ProblemKind(
            409, "The batch is canceled", "Nothing of it is sent any more; send a new batch."
        ),
        "breakers_open": ProblemKind(
            409, "Too many breakers hold", "Close one; 1 000 hold at a time."
        ),
        "batches_controlled": ProblemKind(
            409,
            "Too many batches under control",
            "Resume or cancel some, or give some their pace back (`rate` null).",
        ),
        "body_slow": ProblemKind(408, "Body too slow", "Send the whole body within 30 seconds."),
        "body_too_large": ProblemKind(
            413, "Body too large", "A body has at most `http.max_body`, one object of it 256 KiB."
        ),
        "content_encoding_unsupported": ProblemKind(
            415, "Content-Encoding not supported", "Send the body as it is, or as gzip."
        ),
        "uri_too_long": ProblemKind(414, "Request target too long", "Send a shorter one."),
        "head_too_large": ProblemKind(431, "Header too large", "Send fewer and shorter fields."),
        "head_slow": ProblemKind(408, "Header too slow", "Send the header within 10 seconds."),
        "http_version_unsupported": ProblemKind(
            505, "HTTP version not supported", "Speak HTTP/1.1."
        ),
        "expectation_failed": ProblemKind(
            417, "Expectation failed", "Leave `Expect` out, or expect 100-continue."
        ),
        "not_json": ProblemKind(415, "Not JSON", "Send `Content-Type: application/json`."),
        "reason_missing": ProblemKind(422, "No reason given", "Say why in X-Reveal-Reason."),
        "reason_invalid": ProblemKind(422, "Invalid reason", "Give 1 to 500 characters."),
        "format_unsupported": ProblemKind(
            415, "Form of file not supported", "Send UTF-8 as text/csv or application/x-ndjson."
        ),
        "columns_invalid": ProblemKind(
            422, "Wrong header of a file", "Name the columns in the first line; nothing was stored."
        ),
        "encoding_invalid": ProblemKind(
            422, "Not UTF-8", "Save the file as plain text in UTF-8, with or without a BOM."
        ),
        "row_malformed": ProblemKind(
            422, "Row not readable", "Write it as RFC 4180 has it, with a cell for each column."
        ),
        "row_too_long": ProblemKind(422, "Row too long", "A row has at most 16 384 bytes."),
        "hash_invalid": ProblemKind(
            422, "Not a hash", "Give HMAC-SHA256 as 64 hexadecimal digits."
        ),
        "undone_since": ProblemKind(
            422, "Taken back since", "Say since when it holds, or ask with `taken_back=add`."
        ),
        "opted_in_since": ProblemKind(
            422, "Consent given since", "Say since when it holds, or ask with `taken_back=add`."
        ),
        "rows_max": ProblemKind(
            422, "Too many rows", "Send the rest of the file as another one; see the import."
        ),
        "person_waits": ProblemKind(409, "The person waits for messages", "Wait, or cancel them."),
        "number_invalid": ProblemKind(422, "Invalid number", "Give a valid number in E.164 form."),
        "address_invalid": ProblemKind(422, "Invalid address", "Give an IPv4 or IPv6 address."),
        "country_not_allowed": ProblemKind(
            422, "Country not allowed", "The account's `countries` do not hold the number's."
        ),
        "number_landline": ProblemKind(422, "Landline", "Give the number of a mobile telephone."),
        "number_not_mobile": ProblemKind(
            422, "Not a mobile number", "Give the number of a mobile telephone."
        ),
        "sender_invalid": ProblemKind(
            422, "Invalid sender", "Up to 20 digits, or up to 11 letters, digits and signs."
        ),
        "sender_not_allowed": ProblemKind(
            422, "Sender not allowed", "Use a sender of the account, or none."
        ),
        "category_unknown": ProblemKind(422, "Unknown category", "Use one of the four."),
        "text_empty": ProblemKind(422, "Empty text", "Give a text."),
        "text_invalid": ProblemKind(
            422, "Text cannot be sent", "Remove controls, noncharacters and broken surrogates."
        ),
        "text_too_long": ProblemKind(422, "Text too long", "Shorten the text; UCS-2 halves it."),
        "tlv_invalid": ProblemKind(
            422, "Invalid TLV", "Give a tag and one of text, hex and integer; each tag once."
        ),
        "links_too_many": ProblemKind(422, "Too many links", "At most 8 different ones."),
        "callback_not_allowed": ProblemKind(
            422,
            "Callback not allowed",
            "Name a host of the account's `callback_hosts`, and make its callback secret first.",
        ),
        "callback_invalid": ProblemKind(
            422,
            "Callback not usable",
            "Name a URL as a webhook endpoint has, and events of messages.",
        ),
        "label_invalid": ProblemKind(
            422, "Invalid label", "References, campaigns, variants, tags: short printable text."
        ),
        "client_ref_reused": ProblemKind(
            422,
            "client_ref used for another message",
            "Give a new message a reference of its own; the one it was used for stands as it is.",
        ),
        "out_of_range": ProblemKind(422, "Out of range", "Keep to the range named."),
        "send_at_invalid": ProblemKind(
            422, "Invalid send_at", "From now on, at most 35 days ahead, with a UTC offset."
        ),
        "send_window_invalid": ProblemKind(
            422, "Invalid send_window", 'As in {"from": "10:00", "to": "12:00", "tz": "recipient"}.'
        ),
        "policy_not_allowed": ProblemKind(
            422, "Exemption not allowed", "Use a key with the scope named, or leave it out."
        ),
        "field_unknown": ProblemKind(
            422, "Unknown field", "Nothing is silently ignored: correct or remove the field."
        ),
        "field_repeated": ProblemKind(
            422, "Field given twice", "Which of the two is meant? Send each field once."
        ),
        "body_unexpected": ProblemKind(
            422, "Body where none belongs", "Send the request without a body; nothing was done."
        ),
        "field_missing": ProblemKind(422, "Missing field", "Add the field."),
        "field_type": ProblemKind(422, "Wrong type", "Give the type named."),
        "parameter_unknown": ProblemKind(422, "Unknown parameter", "Correct or remove it."),
        "parameter_invalid": ProblemKind(422, "Invalid parameter", "Give what is named."),
        "cursor_invalid": ProblemKind(
            422,
            "Invalid cursor",
            "Begin again without `cursor`; one is good for its list, filters and account only.",
        ),
        "batch_size": ProblemKind(
            422, "Empty or oversize batch", "Send 1 to `http.batch_items_max` messages."
        ),
        "batch_rejected": ProblemKind(
            422, "No message of the batch was accepted", "See errors, one or more for each message."
        ),
        "webhook_url_refused": ProblemKind(
            422, "URL not allowed", "https, port 443 or 8443, a public address; see [webhooks]."
        ),
        "event_unknown": ProblemKind(
            422, "Unknown event", "Name a type, `message.*` or such, or `final`."
        ),
        "header_invalid": ProblemKind(
            422, "Invalid header", "Up to 20 plain ones; none that the request sets itself."
        ),
        "secret_invalid": ProblemKind(
            422, "Invalid secret", "`whsec_` and base64 of 24 to 64 octets, or none."
        ),
        "ca_invalid": ProblemKind(
            422, "Invalid authority", "Give the certificate of an authority in PEM."
        ),
        "webhook_endpoints_max": ProblemKind(
            409, "Too many webhook endpoints", "Delete one, or change one."
        ),
        "webhook_disabled": ProblemKind(
            409, "The endpoint is disabled", "Enable it; what was skipped can be replayed."
        ),
        "webhook_test_failed": ProblemKind(
            409, "The test failed", "Mend the receiver; `…/test` shows what it answers."
        ),
        "webhook_test_soon": ProblemKind(
            429, "Tested a short time ago", "Enable it after Retry-After seconds."
        ),
        "route_unavailable": ProblemKind(
            422, "No route", "Ask the operator for a route that matches this message."
        ),
        "quota_exceeded": ProblemKind(
            429,
            "Quota exceeded",
            "Send again after Retry-After seconds; RateLimit tells what is left.",
            _REGISTERED + "quota-exceeded",
        ),
        "internal": ProblemKind(500, "Internal error", "Report the request_id."),
        "overloaded": ProblemKind(
            503, "Overloaded", _AGAIN, _REGISTERED + "temporary-reduced-capacity"
        ),
        "storage_unavailable": ProblemKind(503, "Storage unavailable", _AGAIN),
    }
)


class TooMany(msgspec.Struct, frozen=True):
    """How many messages a question is about, how many it may be, and what would work."""

    messages: int
    limit: int
    instead: tuple[str, ...]


class ProblemBody(msgspec.Struct, omit_defaults=True):
    """An answer of type application/problem+json. `errors` is bounded, the rest counted. With
    `messages` of which at most `limit` may be read, `try` names parameters that would work.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: tuple[FieldError, ...] = ()
    errors_omitted: int = 0
    violated_policies: tuple[str, ...] = msgspec.field(default=(), name="violated-policies")
    messages: int | UnsetType = UNSET
    limit: int | UnsetType = UNSET
    instead: tuple[str, ...] = msgspec.field(default=(), name="try")


ERRORS_SHOWN_MAX = 100


class ProblemError(Exception):
    """Ends the handling of a request; middleware.py makes the answer. `code` is a key of KINDS."""

    def __init__(
        self,
        code: str,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        headers: Mapping[str, str] | None = None,
        policies: tuple[str, ...] = (),
        too_many: TooMany | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.policies = policies
        self.too_many = too_many


def not_taken(refused: Refused) -> ProblemError:
    """A message that was not taken, as the problem for its request."""
    return ProblemError(refused.code, refused.detail, refused.errors)


def problem_response(problem: ProblemError, instance: str, request_id: str) -> web.Response:
    """The problem as the answer to the request for `instance`, a path."""
    kind = KINDS[problem.code]
    headers = dict(problem.headers)
    if kind.status == UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    body = ProblemBody(
        type=kind.type or f"{DOCUMENT}#{problem.code}",
        title=kind.title,
        status=kind.status,
        detail=problem.detail,
        instance=instance,
        code=problem.code,
        request_id=request_id,
        errors=problem.errors[:ERRORS_SHOWN_MAX],
        errors_omitted=max(0, len(problem.errors) - ERRORS_SHOWN_MAX),
        violated_policies=problem.policies,
    )
    if problem.too_many is not None:
        body.messages, body.limit = problem.too_many.messages, problem.too_many.limit
        body.instead = problem.too_many.instead
    return web.Response(
        body=msgspec.json.encode(body),
        status=kind.status,
        headers=headers,
        content_type=CONTENT_TYPE,
    )
