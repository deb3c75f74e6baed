"""From one item of a request to a message that can be stored, or to the reasons why not.

Owns every rule a message must meet; those of its text are final_text.py's. Must not touch HTTP or
the database: suppression, limits and ids are the accepter's. Pure, but for the numbering plans it
compiles once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from dispatch.message import PRIORITY_DEFAULT, PRIORITY_LOWEST, MessageOptions
from messages.accept.callbacks import CallbackFields
from messages.accept.final_text import TextRules
from messages.accept.named_links import LinkTarget, NamedLinks, any_target
from messages.accept.send_times import TimingFields
from messages.accept.senders import sender_fault
from messages.accept.templated import (
    UNREAD,
    NoTemplates,
    Template,
    Templates,
    TemplateUnread,
    filled,
    placed,
    without_text,
)
from messages.accept.text_retention import text_days
from messages.accept.tlvs import message_tlvs
from messages.body_faults import UNDECODABLE, Faults, in_list, mended, repeated
from messages.json_text import is_utf8, may_repeat
from messages.models import AccountPolicy, FieldError, Prepared, Refused, RouteChoice
from messages.requests import MessageRequest
from messages.rules.quiet_hours import TimingRules
from recipients.numbers.plan import NumberPlan
from smpp.encoding import TextSettings
from smpp.tlv import Tlvs
from storage.categories import Category
from storage.names import SANDBOX

LABEL_CHARACTERS_MAX = 100  # client_ref, campaign_id, variant and each tag
TAGS_MAX = 10
SENDERS_SHOWN_MAX = 5

_FIELD_COUNT = len(
    MessageRequest.__struct_fields__
)  # all but the required ones are None by default

# The code for a text that is not valid text, by what its field cannot be.
_MALFORMED = {
    "to": "number_invalid", "text": "text_invalid", "from": "sender_invalid",
    "category": "category_unknown", "client_ref": "label_invalid", "campaign_id": "label_invalid",
    "variant": "label_invalid", "tags": "label_invalid", "tlvs": "tlv_invalid",
    "template_id": "template_unknown",
}  # fmt: skip


def _usual_texts(_connector: int) -> TextSettings:
    return TextSettings()


def _nowhere(_number: str) -> tuple[int, int]:
    return 0, 0


class Validator:
    """Checks messages one by one. One for the process; it holds no state of a request.

    `link_base_url` as `shortlinks.rewrite.parse_base_url` returns it. `decisions` counts refusals
    of numbers.
    """

    def __init__(
        self,
        *,
        numbers: NumberPlan,
        route: RouteChoice,
        link_base_url: str,
        parts_max: int,
        validity_seconds_max: int,
        timing: TimingRules,
        validity_seconds: Sequence[int] = (),
        decisions: dict[tuple[str, str], int] | None = None,
        texts: Callable[[int], TextSettings] = _usual_texts,
        callbacks: CallbackFields | None = None,
        link_target: LinkTarget = any_target,
        origin: Callable[[str], tuple[int, int]] = _nowhere,
        templates: Templates | None = None,
    ) -> None:
        """`texts`: how the connector with this number takes texts. Parts are counted by that.
        `origin`: country and operator of a number, as numbers. `link_target`: where links that a
        message names may lead."""
        self._decode = msgspec.json.Decoder(MessageRequest).decode
        self._number_fault = numbers.fault
        self._route = route
        self._final_text = TextRules(link_base_url).final
        self.follow(
            parts_max=parts_max,
            validity_seconds_max=validity_seconds_max,
            validity_seconds=validity_seconds,
            timing=timing,
        )
        self._decisions = {} if decisions is None else decisions
        self._texts = texts
        self._origin = origin
        self._templates = templates or NoTemplates()
        self._callbacks = callbacks or CallbackFields()
        self._named_links = NamedLinks(link_target).read
        self._categories = {category.label: int(category) for category in Category}

    def follow(
        self,
        *,
        parts_max: int,
        validity_seconds_max: int,
        validity_seconds: Sequence[int],
        timing: TimingRules,
    ) -> None:
        """What holds from the next message on.

        `validity_seconds_max` bounds `expires_in`. `validity_seconds` stands in for it, by
        category.
        """
        self._parts_max = parts_max
        self._validity_seconds_max = validity_seconds_max
        self._validity_seconds = tuple(validity_seconds) or (validity_seconds_max,) * len(Category)
        self._timing = TimingFields(timing)

    def check(
        self,
        raw: bytes | msgspec.Raw,
        account: AccountPolicy,
        *,
        now_ms: int,
        index: int | None = None,
        templates: Mapping[str, Template] | None = None,
    ) -> Prepared | Refused:
        """One item of JSON as a message, or everything that is wrong with it.

        `index` is its place in a batch, for the JSON pointers of the errors (RFC 6901). Never
        raises for what a client can send. TemplateUnread: read its template, and check it again
        with `templates`, all there are.
        """
        asked, faults = self._read(raw, index)
        if asked is None:
            return _refused(faults, index)
        return self._judged(raw, asked, faults, account, now_ms, index, templates)

    def request(
        self,
        asked: MessageRequest,
        account: AccountPolicy,
        *,
        now_ms: int,
        templates: Mapping[str, Template] | None,
    ) -> Prepared | Refused:
        """As `check`, of a message that a part of ours asks for: it never was JSON."""
        return self._judged(b"", asked, [], account, now_ms, None, templates)

    def _judged(
        self,
        raw: bytes | msgspec.Raw,
        asked: MessageRequest,
        faults: list[FieldError],
        account: AccountPolicy,
        now_ms: int,
        index: int | None,
        templates: Mapping[str, Template] | None,
    ) -> Prepared | Refused:
        request, before = asked, len(faults)
        if asked.template_id is not None or not asked.text:
            texted = self._with_text(raw, asked, account, faults, templates)
            if isinstance(texted, TemplateUnread):
                return texted
            request = texted
        self._number(request.to, account, faults)
        sender = self._sender(request.sender, account, faults)
        category = self._category(request.category, account, faults)
        _check_labels(request, faults)
        priority = _priority(request.priority, faults)
        seconds = request.expires_in
        if seconds is not None:
            self._check_seconds(seconds, faults)
        timing = self._timing.read(request, account, now_ms, faults)
        tlvs = _tlvs(request, faults)
        callback = self._callbacks.read(request.callback, account, faults)
        tags, kept = request.tags or (), text_days(request.retention, account, faults)
        options = timing.options
        connector = 0
        if request.sandbox or account.sandbox:
            connector, options = SANDBOX, _sandboxed(options)
        elif not faults:
            connector = self._route(request.to, sender, category, account.name, tags)
            if not connector:
                detail = "no route is configured for this number, sender and category"
                faults.append(FieldError("route_unavailable", detail, "/to"))
        texts, named = self._texts(connector), self._named_links(request, account, faults)
        final = self._final_text(request, account, category, texts, self._parts_max, named)
        if isinstance(final, FieldError):
            faults.append(final)
        if faults or isinstance(final, FieldError):
            return _refused(placed(faults, asked, before), index)
        country, operator = self._origin(request.to)
        return Prepared(
            account.id, category, connector, request.to, sender,
            final.text, final.links, final.slots, final.data_coding, final.parts,
            request.client_ref, request.campaign_id, request.variant, tags,
            timing.release
            + 1000 * (self._validity_seconds[category] if seconds is None else seconds),
            priority=priority, options=_with_tlvs(options, tlvs), callback=callback,
            asked_text=None if request.client_ref is None else _asked(asked),
            text_days=kept, country=country, operator=operator,
        )  # fmt: skip

    def _read(
        self, raw: bytes | msgspec.Raw, index: int | None
    ) -> tuple[MessageRequest | None, list[FieldError]]:
        """What is right of an item, and what is wrong with its JSON."""
        try:
            request = self._decode(raw)
        except UNDECODABLE:
            return _what_is_right(raw, index)
        given = _FIELD_COUNT - msgspec.structs.astuple(request).count(None)
        given -= not request.text  # absent, or may as well be
        return request, repeated(raw) if may_repeat(bytes(raw), given) else []

    def _check_seconds(self, seconds: int, faults: list[FieldError]) -> None:
        if not 1 <= seconds <= self._validity_seconds_max:
            detail = f"expires_in is 1 to {self._validity_seconds_max} seconds"
            faults.append(FieldError("out_of_range", detail, "/expires_in"))

    def _with_text(
        self,
        raw: bytes | msgspec.Raw,
        request: MessageRequest,
        account: AccountPolicy,
        faults: list[FieldError],
        read: Mapping[str, Template] | None,
    ) -> MessageRequest | TemplateUnread:
        """A message by its template; one with neither text nor template gets a fault."""
        reference = request.template_id
        if reference is None:
            return without_text(bytes(raw), request, faults)
        template = self._templates.known(account.id, reference) if read is None else None
        if template is None and read is None:
            return TemplateUnread(UNREAD, "the template is not read", (), reference)
        return filled(request, template or (read or {}).get(reference), faults)

    def _number(self, to: str, account: AccountPolicy, faults: list[FieldError]) -> None:
        fault = self._number_fault(to)
        if fault is not None:
            faults.append(FieldError("number_invalid", f"to {fault}", "/to"))
        elif (refused := account.numbers.fault(to)) is not None:
            key = (refused[0], "refused")
            self._decisions[key] = self._decisions.get(key, 0) + 1
            faults.append(FieldError(*refused, "/to"))

    def _sender(self, sender: str | None, account: AccountPolicy, faults: list[FieldError]) -> str:
        allowed = account.senders
        if sender is None:
            return allowed[0] if allowed else ""
        if allowed:
            if sender not in allowed:
                shown = ", ".join(allowed[:SENDERS_SHOWN_MAX])
                more = ", …" if len(allowed) > SENDERS_SHOWN_MAX else ""
                detail = f"from is not a sender of this account; it has {shown}{more}"
                faults.append(FieldError("sender_not_allowed", detail, "/from"))
        elif (fault := sender_fault(sender)) is not None:
            faults.append(FieldError("sender_invalid", fault, "/from"))
        return sender

    def _category(self, label: str | None, account: AccountPolicy, faults: list[FieldError]) -> int:
        if label is None:
            return int(account.default_category)
        category = self._categories.get(label)
        if category is None:
            detail = f"category is one of {', '.join(self._categories)}"
            faults.append(FieldError("category_unknown", detail, "/category"))
            return int(account.default_category)
        return category


def _asked(request: MessageRequest) -> str:
    """What a repeat under the same client_ref says, too."""
    if request.links is None and request.template_id is None:
        return request.text
    values: list[object] = [request.links, request.params]
    if request.template_id is not None:
        values = [*values, request.template_id]
    return request.text + msgspec.json.encode(values).decode()


def _what_is_right(
    raw: bytes | msgspec.Raw, index: int | None
) -> tuple[MessageRequest | None, Faults]:
    """What is right of an item that could not be decoded.

    A body that is not UTF-8 is no JSON at all. In a batch, it is one such item.
    """
    rest = mended(raw, MessageRequest, _MALFORMED)
    if index is None and not is_utf8(bytes(raw)):
        return None, Faults([FieldError("malformed_json", "this is not UTF-8", "")])
    return rest.body, rest.faults


def _refused(faults: list[FieldError], index: int | None) -> Refused:
    errors = tuple(faults) if index is None else in_list(faults, "messages", index)
    return Refused(errors[0].code, errors[0].detail, errors)


def _tlvs(request: MessageRequest, faults: list[FieldError]) -> Tlvs:
    if not request.tlvs:
        return ()
    tlvs = message_tlvs(request.tlvs)
    if isinstance(tlvs, FieldError):
        faults.append(tlvs)
        return ()
    return tlvs


def _with_tlvs(options: MessageOptions | None, tlvs: Tlvs) -> MessageOptions | None:
    if not tlvs:
        return options
    return msgspec.structs.replace(options or MessageOptions(), tlvs=tlvs)


def _sandboxed(options: MessageOptions | None) -> MessageOptions:
    if options is None:
        return MessageOptions(sandbox=True)
    return msgspec.structs.replace(options, sandbox=True)


def _check_labels(request: MessageRequest, faults: list[FieldError]) -> None:
    """client_ref, campaign_id, variant, tags: short printable text, since reports group by them."""
    labels = request.client_ref, request.campaign_id, request.variant
    if labels == (None, None, None) and not request.tags:
        return
    for name, value in zip(("client_ref", "campaign_id", "variant"), labels, strict=True):
        if value is not None and not _is_label(value):
            detail = f"{name} is 1 to {LABEL_CHARACTERS_MAX} printable characters"
            faults.append(FieldError("label_invalid", detail, f"/{name}"))
    tags = request.tags
    if not tags:
        return
    if len(tags) > TAGS_MAX:
        faults.append(FieldError("out_of_range", f"tags are at most {TAGS_MAX}", "/tags"))
        return
    for position, tag in enumerate(tags):
        if not _is_label(tag):
            detail = f"a tag is 1 to {LABEL_CHARACTERS_MAX} printable characters"
            faults.append(FieldError("label_invalid", detail, f"/tags/{position}"))


def _priority(given: int | None, faults: list[FieldError]) -> int:
    if given is None or 0 <= given <= PRIORITY_LOWEST:
        return PRIORITY_DEFAULT if given is None else given
    detail = f"priority is 0, the highest, to {PRIORITY_LOWEST}"
    faults.append(FieldError("out_of_range", detail, "/priority"))
    return PRIORITY_DEFAULT


def _is_label(value: str) -> bool:
    return 1 <= len(value) <= LABEL_CHARACTERS_MAX and value.isprintable()
