"""The client says what `/openapi.json` says: each operation, parameter, field and word."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from dlr.webhooks.catalogue import EVENT_KINDS as WEBHOOK_KINDS
from smsgate_client import (
    answers,
    campaign_reports,
    campaigns,
    caps,
    contacts,
    conversions,
    endpoints,
    experiments,
    filters,
    links,
    operating,
    privacy,
    recipients,
    reports,
    requests,
    segments,
    templates,
    words,
)
from smsgate_client.blocking import (
    Anomalies,
    Audit,
    Batches,
    Breakers,
    Complaints,
    Connectors,
    Consents,
    Conversions,
    Inbound,
    Messages,
    Numbers,
    Persons,
    Suppressions,
    WebhookCallbacks,
    WebhookEndpoints,
)
from smsgate_client.blocking_campaigns import Campaigns
from smsgate_client.blocking_caps import Caps
from smsgate_client.blocking_contacts import Contacts, Events
from smsgate_client.blocking_links import Links
from smsgate_client.blocking_reports import Reports
from smsgate_client.blocking_segments import Segments
from smsgate_client.blocking_templates import Templates
from smsgate_client.calls import Call
from smsgate_client.shapes import json_name, read, write
from tests.web.served import running_api
from web.meanings import EVENT_KINDS

# An operator's, by hand; and files, which `smsgate suppressions` and curl send and take.
LEFT_OUT = {
    "post_messages_resolve", "post_messages_id_resolve", "get_raw_deliveries", "post_admin_reload",
    "get_queue", "get_breakers_scope_subject_evidence",
    "post_suppressions_import", "get_suppressions_imports_id_verdicts", "get_suppressions_export",
    "post_suppressions_compare", "post_contacts_import",
    "post_persons_export", "get_links_id_qr",
}  # fmt: skip


BODY = " body"  # in the name of a place: what is sent, not answered
# What Python has no such parameter for.
RENAMED = {"kind": "class", "reason": "X-Reveal-Reason"}
OF_THE_CLIENT = frozenset({"Idempotency-Key", "If-Match"})
# Of reports: it reads JSON.
UNASKED = {"format"}


class Recorder:
    """Keeps what the nouns of a client ask for."""

    def __init__(self) -> None:
        self.asked: list[Call[Any]] = []

    def run(self, call: Call[Any]) -> Any:
        self.asked.append(call)

    def each(self, call: Call[Any]) -> Iterator[Any]:
        self.asked.append(call)
        return iter(())


NOW = datetime(2026, 11, 29, tzinfo=UTC)
NEW = requests.NewMessage("+8613812345678", "Hello")
LINK = links.NewLink("https://shop.example/sale")
SEGMENT = segments.NewSegment("silent", "days_since(login) >= 90")
CAMPAIGN = campaigns.CampaignSpec(
    "autumn", campaigns.Audience("has city"), (campaigns.Arm("tpl_0nx25tc8g2000@1"),)
)
TEMPLATE = templates.NewTemplate(name="x", category="otp", body="y")

Asking = Callable[[Recorder], object]


def verbs(noun: Asking, verb: str, *given: object) -> Asking:
    """What asks a noun's method of this name."""
    return lambda client: getattr(noun(client), verb)(*given)


# Each operation as a user asks for it, what is sent, and what is answered (an item of a list).
Asked = tuple[Asking, type | None, type]
OPERATIONS: Mapping[str, Asked] = {
    "post_messages": (
        lambda client: Messages(client).send(NEW), requests.NewMessage, answers.SentMessage),
    "post_messages_batch": (
        lambda client: Messages(client).send_batch([NEW]), requests.NewMessage, answers.SentBatch),
    "post_messages_preview": (
        lambda client: Messages(client).preview([NEW]), requests.NewMessage, answers.Preview),
    "get_messages": (lambda client: Messages(client).list(), None, answers.Message),
    "get_messages_id": (lambda client: Messages(client).get("m"), None, answers.Message),
    "get_messages_id_events": (lambda client: Messages(client).events("m"), None, answers.Event),
    "post_messages_id_cancel": (
        lambda client: Messages(client).cancel("m"), None, answers.CanceledMessage),
    "get_batches_id": (lambda client: Batches(client).get("b"), None, answers.Batch),
    "patch_batches_id": (
        lambda client: Batches(client).set_rate("b", None), None, answers.ChangedBatch),
    "post_batches_id_pause": (
        lambda client: Batches(client).pause("b"), None, answers.ChangedBatch),
    "post_batches_id_resume": (
        lambda client: Batches(client).resume("b"), None, answers.ChangedBatch),
    "post_batches_id_cancel": (
        lambda client: Batches(client).cancel("b"), None, answers.ChangedBatch),
    "get_inbound": (lambda client: Inbound(client).list(), None, recipients.InboundMessage),
    "get_suppressions": (lambda client: Suppressions(client).list(), None, recipients.Suppression),
    "post_suppressions": (
        lambda client: Suppressions(client).add([requests.NewSuppression("n")]),
        requests.NewSuppression, recipients.AddedSuppressions),
    "delete_suppressions": (
        lambda client: Suppressions(client).remove("n", category="all", reason="r"), None,
        recipients.RemovedSuppressions),
    "get_suppressions_imports": (
        lambda client: Suppressions(client).imports(), None, recipients.SuppressionImport),
    "get_suppressions_imports_id": (
        lambda client: Suppressions(client).get_import("i"), None, recipients.SuppressionImport),
    "get_consents": (lambda client: Consents(client).list(), None, recipients.Consent),
    "post_consents": (
        lambda client: Consents(client).record(requests.NewConsent("n", "granted", "form")),
        requests.NewConsent, recipients.Consent),
    "get_consents_proof": (
        lambda client: Consents(client).proof("n", reveal=True, reason="r"), None,
        recipients.Proof),
    "get_complaints": (lambda client: Complaints(client).list(), None, recipients.Complaint),
    "post_complaints": (
        lambda client: Complaints(client).record(requests.NewComplaint("1", "carrier")),
        requests.NewComplaint, recipients.Complaint),
    "post_conversions": (
        lambda client: Conversions(client).record(conversions.NewConversion("1", "order")),
        conversions.NewConversion, conversions.Conversion),
    "post_conversions_batch": (
        lambda client: Conversions(client).record_batch([conversions.NewConversion("1", "order")]),
        conversions.NewConversion, conversions.ConversionBatch),
    "post_contacts": (
        lambda client: Contacts(client).put(contacts.NewContact("crm-1")), contacts.NewContact,
        contacts.Contact),
    "get_contacts": (lambda client: Contacts(client).list(), None, contacts.Contact),
    "get_contacts_id": (lambda client: Contacts(client).get("c"), None, contacts.Contact),
    "patch_contacts_id": (
        lambda client: Contacts(client).change("c", 3, source=None), None, contacts.Contact),
    "delete_contacts_id": (lambda client: Contacts(client).delete("c"), None, type(None)),
    "post_contacts_merge": (
        lambda client: Contacts(client).merge(["c", "d"]), None, contacts.Contact),
    "get_contacts_attributes": (
        lambda client: Contacts(client).attributes(), None, contacts.Attribute),
    "put_contacts_attributes_name": (
        lambda client: Contacts(client).define("city", contacts.NewAttribute("text")),
        contacts.NewAttribute, contacts.Attribute),
    "get_contacts_import": (
        lambda client: Contacts(client).imports(), None, contacts.ContactImport),
    "get_contacts_import_id": (
        lambda client: Contacts(client).get_import("i"), None, contacts.ContactImport),
    "get_contacts_import_id_rows": (
        lambda client: Contacts(client).import_rows("i"), None, contacts.ImportedRow),
    "post_contacts_import_id_undo": (
        lambda client: Contacts(client).undo_import("i"), None, contacts.ContactImport),
    "post_events": (
        lambda client: Events(client).record([contacts.NewEvent("1", "login", to="n")]),
        contacts.NewEvent, contacts.EventBatch),
    "get_contacts_tags": (lambda client: Contacts(client).tags(), None, contacts.Tag),
    "post_links": (lambda client: Links(client).create(LINK), links.NewLink, links.Link),
    "post_links_bulk": (
        lambda client: Links(client).create_many([LINK]), links.NewLink, links.LinkBatch),
    "get_links": (lambda client: Links(client).list(), None, links.Link),
    "get_links_id": (lambda client: Links(client).get("l"), None, links.Link),
    "patch_links_id": (lambda client: Links(client).change("l", tags=[]), None, links.Link),
    "delete_links_id": (lambda client: Links(client).delete("l"), None, type(None)),
    "post_segments": (
        lambda client: Segments(client).create(SEGMENT), segments.NewSegment, segments.Segment),
    "get_segments": (lambda client: Segments(client).list(), None, segments.Segment),
    "get_segments_presets": (
        lambda client: Segments(client).presets(), None, segments.SegmentPreset),
    "get_segments_id": (lambda client: Segments(client).get("s"), None, segments.Segment),
    "patch_segments_id": (
        lambda client: Segments(client).change("s", 3, note=None), None, segments.Segment),
    "delete_segments_id": (lambda client: Segments(client).delete("s"), None, type(None)),
    "post_segments_preview": (
        lambda client: Segments(client).preview("has city"), segments.PreviewWish,
        segments.SegmentPreview),
    "post_segments_id_preview": (
        lambda client: Segments(client).count("s"), segments.SampleWish, segments.SegmentPreview),
    "get_segments_id_members": (
        lambda client: Segments(client).members("s"), None, segments.SegmentMember),
    "post_segments_id_members": (
        lambda client: Segments(client).change_members("s"), segments.MemberChanges,
        segments.ChangedMembers),
    "get_caps": (lambda client: Caps(client).list(), None, caps.Cap),
    "post_caps": (
        lambda client: Caps(client).create(caps.NewCap(tag="vip", week=3)), caps.NewCap, caps.Cap),
    "get_caps_id": (lambda client: Caps(client).get("c"), None, caps.Cap),
    "patch_caps_id": (lambda client: Caps(client).change("c", 3, week=None), None, caps.Cap),
    "delete_caps_id": (lambda client: Caps(client).delete("c"), None, type(None)),
    "get_links_id_stats": (lambda client: Links(client).stats("l"), None, links.LinkStats),
    "post_campaigns": (
        lambda client: Campaigns(client).create(CAMPAIGN), campaigns.CampaignSpec,
        campaigns.Campaign),
    "get_campaigns": (lambda client: Campaigns(client).list(), None, campaigns.Campaign),
    "get_campaigns_id": (lambda client: Campaigns(client).get("c"), None, campaigns.Campaign),
    "put_campaigns_id": (
        lambda client: Campaigns(client).change("c", 3, CAMPAIGN), campaigns.CampaignSpec,
        campaigns.Campaign),
    "post_campaigns_id_plan": (
        lambda client: Campaigns(client).plan("c"), None, campaigns.CampaignPlan),
    "post_campaigns_id_test": (
        lambda client: Campaigns(client).test("c", ["n"]), str, campaigns.CampaignTest),
    "post_campaigns_id_start": (
        lambda client: Campaigns(client).start("c", confirm_recipients=1),
        campaigns.CampaignStart, campaigns.Campaign),
    "post_campaigns_id_pause": (
        lambda client: Campaigns(client).pause("c", "r"), campaigns.CampaignPause,
        campaigns.Campaign),
    "post_campaigns_id_resume": (
        lambda client: Campaigns(client).resume("c", override="r"), campaigns.CampaignResume,
        campaigns.Campaign),
    "post_campaigns_id_cancel": (
        lambda client: Campaigns(client).cancel("c"), None, campaigns.CanceledCampaign),
    "post_campaigns_id_decide": (
        lambda client: Campaigns(client).decide("c", arm=1, reason="r"),
        experiments.DecideExperiment, campaigns.Campaign),
    "get_campaigns_id_report": (
        lambda client: Campaigns(client).report("c"), None, campaign_reports.CampaignReport),
    "get_campaigns_id_excluded": (
        lambda client: Campaigns(client).excluded("c"), None, campaign_reports.ExcludedContact),
    "get_contacts_id_why": (
        lambda client: Campaigns(client).why("c"), None, campaign_reports.Why),
    "get_metrics_registry": (
        lambda client: Campaigns(client).metrics(), None, campaign_reports.Metric),
    "get_campaigns_id_recipients": (
        lambda client: Campaigns(client).recipients("c"), None, campaigns.CampaignRecipient),
    "post_templates": (
        lambda client: Templates(client).create(TEMPLATE), templates.NewTemplate,
        templates.Template),
    "get_templates": (lambda client: Templates(client).list(), None, templates.Template),
    "get_templates_id": (lambda client: Templates(client).get("t"), None, templates.Template),
    "delete_templates_id": (lambda client: Templates(client).end("t"), None, type(None)),
    "post_templates_id_versions": (
        lambda client: Templates(client).add_version("t", TEMPLATE), templates.NewVersion,
        templates.Template),
    "post_templates_id_approvals": (
        lambda client: Templates(client).approve(
            "t", templates.NewApproval(provider="p", state="approved")),
        templates.NewApproval, templates.Template),
    "post_templates_id_waivers": (
        lambda client: Templates(client).waive("t", templates.NewWaiver(rule="R11", reason="r")),
        templates.NewWaiver, templates.Template),
    "post_templates_lint": (
        lambda client: Templates(client).lint(templates.Lint(template_id="t")), templates.Lint,
        templates.Linted),
    "post_templates_render": (
        lambda client: Templates(client).render(templates.Render(params=[{}])), templates.Render,
        templates.Rendered),
    "get_audit": (lambda client: Audit(client).list(), None, privacy.AuditRow),
    "post_persons_erase": (
        lambda client: Persons(client).erase("n", "r"), None, privacy.Erasure),
    "get_persons_erasures_id": (
        lambda client: Persons(client).erasure("e"), None, privacy.Erasure),
    "get_reports_replies": (lambda client: Reports(client).replies(), None, reports.Report),
    "get_numbers_number": (lambda client: Numbers(client).get("n"), None, recipients.Number),
    "post_numbers_validate": (
        lambda client: Numbers(client).validate(["n"], category="all"), None,
        recipients.ValidatedNumbers),
    "get_reports_delivery": (lambda client: Reports(client).delivery(), None, reports.Report),
    "get_reports_funnel": (lambda client: Reports(client).funnel(), None, reports.Report),
    "get_reports_clicks": (lambda client: Reports(client).clicks(), None, reports.ClickReport),
    "get_reports_failures": (
        lambda client: Reports(client).failures(), None, reports.FailureReport),
    "get_reports_latency": (
        lambda client: Reports(client).latency(), None, reports.LatencyReport),
    "get_power": (
        lambda client: Reports(client).power(base=0.02, other=0.03), None, reports.Power),
    "get_connectors": (lambda client: Connectors(client).list(), None, answers.ConnectorState),
    "get_routes": (lambda client: Connectors(client).routes(), None, operating.Route),
    "patch_connectors_name": (
        lambda client: Connectors(client).pause("c"), None, answers.Connector),
    "get_breakers": (lambda client: Breakers(client).list(), None, operating.Breaker),
    "get_breakers_scope_subject": (
        lambda client: Breakers(client).get("connector", "c"), None, operating.Breaker),
    **{
        f"post_breakers_scope_subject_{verb}": (
            verbs(Breakers, verb, "connector", "c", operating.BreakerChange(reason="r")),
            operating.BreakerChange, operating.Breaker)
        for verb in ("open", "close")
    },
    "get_anomalies": (lambda client: Anomalies(client).list(), None, operating.Anomaly),
    "get_webhook_endpoints": (
        lambda client: WebhookEndpoints(client).list(), None, endpoints.Endpoint),
    "post_webhook_endpoints": (
        lambda client: WebhookEndpoints(client).create(endpoints.NewEndpoint("u", ["final"])),
        endpoints.NewEndpoint, endpoints.NewEndpointKey),
    "get_webhook_endpoints_id": (
        lambda client: WebhookEndpoints(client).get("w"), None, endpoints.Endpoint),
    "patch_webhook_endpoints_id": (
        lambda client: WebhookEndpoints(client).change("w", ca=None), None, endpoints.Endpoint),
    "delete_webhook_endpoints_id": (
        lambda client: WebhookEndpoints(client).delete("w"), None, type(None)),
    "post_webhook_endpoints_id_rotate": (
        lambda client: WebhookEndpoints(client).rotate("w"), None, endpoints.NewEndpointKey),
    "post_webhook_endpoints_id_test": (
        lambda client: WebhookEndpoints(client).test("w"), None, endpoints.EndpointTest),
    **{
        f"post_webhook_endpoints_id_{verb}": (
            verbs(WebhookEndpoints, verb, "w"), None, endpoints.Endpoint)
        for verb in ("retire", "enable", "pause", "disable")
    },
    "get_webhook_endpoints_id_deliveries": (
        lambda client: WebhookEndpoints(client).deliveries("w"), None, endpoints.Delivery),
    "post_webhook_endpoints_id_deliveries_delivery_redeliver": (
        lambda client: WebhookEndpoints(client).redeliver("w", "d"), None, endpoints.Redelivered),
    "post_webhook_endpoints_id_replay": (
        lambda client: WebhookEndpoints(client).replay("w", endpoints.Replay(NOW)),
        endpoints.Replay, endpoints.Replayed),
    "get_webhook_callbacks": (
        lambda client: WebhookCallbacks(client).get(), None, endpoints.Callbacks),
    "post_webhook_callbacks_rotate": (
        lambda client: WebhookCallbacks(client).rotate(), None, endpoints.NewCallbackKey),
    "post_webhook_callbacks_retire": (
        lambda client: WebhookCallbacks(client).retire(), None, endpoints.Callbacks),
}  # fmt: skip
FILTERS: Mapping[str, type] = {
    "get_messages": filters.MessageFilter,
    "get_messages_id_events": filters.Pages,
    "get_inbound": filters.InboundFilter,
    "get_suppressions": filters.SuppressionFilter,
    "get_suppressions_imports": filters.Pages,
    "get_consents": filters.ConsentFilter,
    "get_complaints": filters.ComplaintFilter,
    "get_contacts": filters.ContactFilter,
    "get_contacts_import": filters.Pages,
    "get_contacts_import_id_rows": filters.RowFilter,
    "get_links": filters.LinkFilter,
    "get_links_id_stats": filters.LinkSpans,
    "get_segments": filters.SegmentFilter,
    "get_segments_id_members": filters.Pages,
    "get_campaigns": filters.CampaignFilter,
    "get_campaigns_id_recipients": filters.Pages,
    "get_campaigns_id_report": filters.CampaignReportFilter,
    "get_campaigns_id_excluded": filters.ExcludedFilter,
    "get_contacts_id_why": filters.WhyFilter,
    "get_templates": filters.TemplateFilter,
    "get_breakers": filters.BreakerFilter,
    "get_anomalies": filters.AnomalyFilter,
    "get_audit": filters.AuditFilter,
    "get_webhook_endpoints": filters.Pages,
    "get_webhook_endpoints_id_deliveries": filters.DeliveryFilter,
    "get_reports_replies": filters.ReportFilter,
    "get_reports_delivery": filters.ReportFilter,
    "get_reports_funnel": filters.ReportFilter,
    "get_reports_clicks": filters.ClickFilter,
    "get_reports_failures": filters.Span,
    "get_reports_latency": filters.Span,
    "get_power": filters.PowerFilter,
}


class Document:
    """The gateway's own description."""

    def __init__(self, found: dict[str, Any]) -> None:
        self._schemas = found["components"]["schemas"]
        self.webhooks = set(found["webhooks"])
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in found["paths"].items()
            if path.startswith("/v1/")
            for method, operation in methods.items()
        }

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def sent(self, name: str) -> Mapping[str, Any]:
        """The schema of a request's body, or of an item of the one array in it."""
        body = self.operations[name][2]["requestBody"]["content"]["application/json"]["schema"]
        schema = self.resolve(body.get("anyOf", [body])[-1])
        arrays = [each for each in schema["properties"].values() if each.get("type") == "array"]
        return arrays[0]["items"] if len(schema["properties"]) == len(arrays) == 1 else schema

    def answered(self, name: str) -> Mapping[str, Any]:
        """The schema of the answer, or of an item of its `data`."""
        answers = self.operations[name][2]["responses"]
        good = next(each for status, each in answers.items() if status < "300")
        if "content" not in good:
            return {"type": "null"}
        schema = self.resolve(good["content"]["application/json"]["schema"])
        data = schema["properties"].get("data")
        return schema if data is None else data["items"]

    def parameters(self, name: str, place: str = "query") -> set[str]:
        given = self.operations[name][2].get("parameters", ())
        return {each["name"] for each in given if each["in"] == place}

    def parameter_words(self, name: str) -> dict[str, set[str]]:
        """The words that a parameter may be, where only some are allowed."""
        given = self.operations[name][2].get("parameters", ())
        return {each["name"]: set(each["schema"]["enum"]) for each in given
                if "enum" in each["schema"]}  # fmt: skip


@pytest.fixture
async def document() -> AsyncIterator[Document]:
    async with running_api() as api:
        _, body = await api.get("/openapi.json")
        yield Document(body)


def faults(document: Document, hint: Any, given: Mapping[str, Any], where: str) -> Iterator[str]:
    """Where an annotation differs from a schema."""
    schema = document.resolve(given)
    if get_origin(hint) in (Union, types.UnionType):
        yield from faults_of_forms(document, get_args(hint), schema, where)
    elif any(each.get("type") == "null" for each in schema.get("anyOf", ())):
        yield f"{where} may be null"
    elif get_origin(hint) in (tuple, Sequence):
        yield from items(document, get_args(hint)[0], schema, where, "array", "items")
    elif get_origin(hint) is Mapping:
        inner = "additionalProperties"
        yield from items(document, get_args(hint)[1], schema, where, "object", inner)
    elif dataclasses.is_dataclass(hint):
        yield from fields(document, hint, schema, where)
    elif isinstance(hint, type) and issubclass(hint, Enum):
        known = {each.value for each in hint}
        described = set(schema.get("enum", known))
        # What is asked may be some of the words that are answered.
        if not described <= known or (described != known and BODY not in where):
            yield f"{where} is one of {schema['enum']}"
    elif hint is not object and schema.get("type") != JSON_TYPES[hint]:
        yield f"{where} is {schema.get('type')}"


def faults_of_forms(
    document: Document, hints: Sequence[Any], schema: Mapping[str, Any], where: str
) -> Iterator[str]:
    """Of a value that has several forms."""
    forms = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    # Of a request `Word | str | None`: the word is the first.
    yield from faults(document, hints[0], forms[0], where)
    for form in forms[1:]:
        if all(list(faults(document, each, form, where)) for each in hints[1:]):
            yield f"{where} may be {form}"


JSON_TYPES: Mapping[type, str] = {
    type(None): "null", str: "string", int: "integer", float: "number", bool: "boolean",
    datetime: "string", date: "string",
}  # fmt: skip


def items(
    document: Document, hint: Any, schema: Mapping[str, Any], where: str, kind: str, inner: str
) -> Iterator[str]:
    if schema.get("type") != kind:
        yield f"{where} is {schema.get('type')}, not {kind}"
    elif isinstance(schema.get(inner), Mapping):
        yield from faults(document, hint, schema[inner], f"{where}[]")


def fields(document: Document, shape: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    described = schema["properties"]
    hints = get_type_hints(shape)
    known = {json_name(field): field for field in dataclasses.fields(shape)}
    yield from (f"{where}.{name} is not in {shape.__name__}" for name in described.keys() - known)
    yield from (f"{where}.{name} is not described" for name in known.keys() - described)
    for name in described.keys() & known:
        field = known[name]
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if not optional and name not in schema.get("required", ()):
            yield f"{where}.{name} may be missing"
        yield from faults(document, hints[field.name], described[name], f"{where}.{name}")


async def test_each_operation_is_there_or_left_out_on_purpose(document: Document) -> None:
    assert set(document.operations) == OPERATIONS.keys() | LEFT_OUT


async def test_each_operation_goes_where_it_is_described(document: Document) -> None:
    for name, (ask, _, _) in OPERATIONS.items():
        ask(recorder := Recorder())
        (call,) = recorder.asked
        method, path, _ = document.operations[name]
        assert call.method == method, name
        given, wanted = call.path.split("/"), path.split("/")
        assert len(given) == len(wanted), name
        assert all(b.startswith("{") or a == b for a, b in zip(given, wanted, strict=True)), name
        if method in ("PATCH", "PUT"):
            wants = "If-Match" in document.parameters(name, "header")
            assert (call.version is not None) is wants, name
        assert (call.idempotency_key is not None) is (
            "Idempotency-Key" in document.parameters(name, "header")
        ), name


async def test_each_body_and_answer_is_described_so(document: Document) -> None:
    found: list[str] = []
    for name, (_, body, answer) in OPERATIONS.items():
        if body is not None:
            found += faults(document, body, document.sent(name), name + BODY)
        found += faults(document, answer, document.answered(name), name)
    assert found == []


async def test_each_parameter_of_a_list_is_there(document: Document) -> None:
    for name, (ask, _, _) in OPERATIONS.items():
        ask(recorder := Recorder())
        (call,) = recorder.asked
        known = set(FILTERS[name].__annotations__ if name in FILTERS else call.query)
        known |= set() if call.reveal_reason is None else {"reason"}
        asked = document.parameters(name) - (UNASKED if "report" in name else set())
        described = asked | document.parameters(name, "header") - OF_THE_CLIENT
        named = {each if each in described else RENAMED.get(each, each) for each in known}
        assert named == described, name


async def test_each_word_of_a_parameter_is_there(document: Document) -> None:
    found = {}
    for name, which in FILTERS.items():
        for parameter, hint in get_type_hints(which).items():
            kind = next(iter(get_args(hint)), hint)
            if isinstance(kind, type) and issubclass(kind, words.Word):
                found[name, RENAMED.get(parameter, parameter)] = {each.value for each in kind}
    described = {
        (name, parameter): allowed
        for name in FILTERS
        for parameter, allowed in document.parameter_words(name).items()
        if "report" not in name or parameter not in UNASKED
    }
    assert len(described) > 3
    unknown = {key: allowed - found[key] for key, allowed in described.items()}
    assert set().union(*unknown.values()) == set(), unknown


async def test_the_types_of_webhooks_are_the_gateway_s(document: Document) -> None:
    known = {kind.value for kind in words.EventType}
    assert document.webhooks <= known
    assert known == set(WEBHOOK_KINDS)


def test_the_kinds_of_events_are_the_gateway_s() -> None:
    assert {kind.value for kind in words.EventKind} == set(EVENT_KINDS)


@dataclasses.dataclass
class Wrong:
    id: int
    status: words.Category
    reason: str
    colour: str


async def test_a_difference_is_found(document: Document) -> None:
    """The comparison itself: a field too few, too many, of another type, another word."""
    found = set(faults(document, Wrong, document.answered("get_messages_id"), "x"))
    assert {"x.id is string", "x.colour is not described", "x.reason may be null",
            "x.final is not in Wrong"} <= found  # fmt: skip
    assert any(each.startswith("x.status is one of") for each in found)


def test_a_window_is_a_name_or_hours() -> None:
    hours = {"from": "10:00", "to": "12:00", "days": ["mon"]}
    for window, found in (
        ("retail", "retail"),
        (hours, campaigns.WindowHours("10:00", "12:00", (words.Weekday.MON,))),
        (None, None),
    ):
        schedule = read(campaigns.Schedule, {"window": window})
        assert schedule.window == found
        assert write(schedule).get("window") == window
