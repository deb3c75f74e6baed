"""Which column says what of a contact, and a row of values as a contact that it asks for.

Owns the fields of a mapping, the names that are known without one, and the codes of values that
are wrong. Must not look anything up. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType

import msgspec

from campaigns.contacts.attributes import (
    Attribute,
    Epoch,
    Stored,
    ValueRefused,
    plain,
    stored,
    zone_known,
)
from campaigns.contacts.cleaning import NumberCleaner
from campaigns.contacts.deciding import LABEL_CHARACTERS_MAX, NUMBERS_MAX, TAGS_EACH_MAX
from campaigns.contacts.files.tables import FileRefused, RawRow
from campaigns.contacts.verdicts import TOO_MANY_NUMBERS
from recipients.consent import ConsentFacts
from storage.categories import Category
from storage.crypto import mask

CONSENT_FIELDS = (
    "consent", "consent_at", "consent_source", "consent_purpose", "consent_channel",
    "consent_text_version", "consent_evidence", "consent_operator", "consent_incentive",
)  # fmt: skip
FIELDS = ("external_id", "number", "tags", "source", "time_zone", *CONSENT_FIELDS)
_KNOWN: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in FIELDS},
        **dict.fromkeys(("numbers", "phone", "mobile", "tel", "to"), "number"),
        **dict.fromkeys(("手机号", "手机", "手机号码", "电话", "电话号码"), "number"),
        **dict.fromkeys(("会员号", "会员编号", "客户编号", "用户id"), "external_id"),
        "标签": "tags",
        "来源": "source",
        "时区": "time_zone",
    }
)
_YES = frozenset({"true", "yes", "y", "1", "granted", "是", "同意"})
COLUMNS_KNOWN_MAX = 1_000  # in memory: each line of JSON may have names of its own
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)


class Draft(msgspec.Struct, kw_only=True, gc=False):
    """A contact as a row asks for it. `invalid`: the code for which it is not taken."""

    line: int
    invalid: str | None = None
    codes: list[str] = []
    external_id: str | None = None
    numbers: list[str] = []
    indexes: list[bytes] = []  # of the numbers, once they are computed
    attrs: dict[str, Stored] = {}
    tags: list[str] = []
    source: str | None = None
    time_zone: str | None = None
    consent: ConsentFacts | None = None
    shown: str | None = None


class RowReader:
    """Makes drafts of rows. `ignored`: columns that say nothing here, as far as they are known."""

    def __init__(
        self,
        mapping: Mapping[str, str] | None,
        attributes: Mapping[str, Attribute],
        cleaner: NumberCleaner,
        now: datetime,
    ) -> None:
        """`mapping` None: columns are known by their names."""
        self._mapping = mapping
        self._attributes = attributes
        self._labels = {each.label: each.name for each in attributes.values() if each.label}
        self._cleaner = cleaner
        self._now = now
        self._fields: dict[str, str | None] = {}
        self.epoch: Epoch = "1900"
        self.ignored: list[str] = []

    def check(self, columns: Sequence[str]) -> None:
        """Raises FileRefused for a header that names nobody, or lacks what the mapping names."""
        if self._mapping is not None:
            for column in self._mapping:
                if column not in columns:
                    raise FileRefused(
                        "columns_invalid", "the file has no such column", f"/{column}"
                    )
        found = {self.field(column) for column in columns}
        if not found & {"number", "external_id"}:
            raise FileRefused("columns_invalid", "no column is a number or an external_id; map one")

    def field(self, column: str) -> str | None:
        """What a column is; None: nothing."""
        if column in self._fields:
            return self._fields[column]
        found = self._named(column) if self._mapping is None else self._mapping.get(column)
        if len(self._fields) < COLUMNS_KNOWN_MAX:
            self._fields[column] = found
            if found is None and len(self.ignored) < len(self._attributes) + LABEL_CHARACTERS_MAX:
                self.ignored.append(column)
        return found

    def _named(self, column: str) -> str | None:
        name = column.strip().lower()
        if name in _KNOWN:
            return _KNOWN[name]
        name = self._labels.get(column, name).removeprefix("attr.")
        return f"attr.{name}" if name in self._attributes else None

    def draft(self, row: RawRow) -> Draft:
        """The contact that a row asks for."""
        if row.fault is None:
            with suppress(RecursionError):  # lists in lists
                return self._read(row)
        return Draft(line=row.line, invalid="row_malformed")

    def _read(self, row: RawRow) -> Draft:
        draft = Draft(line=row.line)
        consent: dict[str, str] = {}
        for column, value in row.values.items():
            field = self.field(column)
            if field is None or value is None or value == "":
                continue
            if field.startswith("attr."):
                self._attribute(draft, field[5:], value)
            elif field in CONSENT_FIELDS:
                consent[field] = plain(str(value))
            else:
                try:
                    self._fixed(draft, field, value)
                except ValueRefused as refused:
                    draft.codes.append(refused.code)
        if draft.invalid is None and not draft.numbers and draft.external_id is None:
            draft.invalid = "number_empty"
        if consent:
            self._consent(draft, consent)
        if draft.numbers:
            draft.shown = mask(draft.numbers[0])
        return draft

    def _fixed(self, draft: Draft, field: str, value: object) -> None:
        if field == "number":
            for each in value if isinstance(value, list) else [value]:
                self._number(draft, each)
            return
        if field == "tags":
            items = value if isinstance(value, list) else stored("set", str(value))
            assert isinstance(items, list)
            words = [plain(str(item)) for item in items]
            good = [word for word in words if 0 < len(word) <= LABEL_CHARACTERS_MAX]
            draft.tags = good[:TAGS_EACH_MAX]
            if draft.tags != words:
                draft.codes.append("too_long")
            return
        text = stored("text", value) if isinstance(value, str | int | float) else ""
        assert isinstance(text, str)
        if len(text) > LABEL_CHARACTERS_MAX:
            draft.codes.append("too_long")
            if field == "external_id":
                draft.invalid = "too_long"
        elif field == "time_zone" and not zone_known(text):
            draft.codes.append("tz_unknown")
        elif text:
            setattr(draft, field, text)

    def _number(self, draft: Draft, value: object) -> None:
        text = value if isinstance(value, str) else _digits(value)
        number, code = self._cleaner.cleaned(text)
        if code == "number_empty":
            return
        if code is not None:
            draft.invalid = draft.invalid or code
            draft.shown = draft.shown or mask("".join(each for each in text if each.isdigit()))
        elif number in draft.numbers:
            return
        elif len(draft.numbers) < NUMBERS_MAX:
            draft.numbers = [*draft.numbers, number]
        elif TOO_MANY_NUMBERS not in draft.codes:
            draft.codes.append(TOO_MANY_NUMBERS)

    def _attribute(self, draft: Draft, name: str, value: object) -> None:
        attribute = self._attributes.get(name)
        if attribute is None:
            draft.codes.append("attr_unknown")
            return
        try:
            draft.attrs = {**draft.attrs, name: stored(attribute.type, value, self.epoch)}
        except ValueRefused as refused:
            draft.codes.append(refused.code)

    def _consent(self, draft: Draft, told: Mapping[str, str]) -> None:
        """A word counts only with how and when it was given: an import makes none up."""
        given = told.get("consent", "").lower()
        if given not in _YES:
            return  # who says no has no word in a file of contacts, but is suppressed
        moment = _moment(told.get("consent_at", ""))
        source = told.get("consent_source", "")
        known = moment is not None and _EARLIEST <= moment <= self._now
        if not known or moment is None or not 0 < len(source) <= LABEL_CHARACTERS_MAX:
            draft.codes.append("consent_missing")
            return
        more = {
            name: text[:LABEL_CHARACTERS_MAX]
            for name in ("purpose", "channel", "text_version", "evidence", "operator", "incentive")
            if (text := told.get(f"consent_{name}"))
        }
        draft.consent = ConsentFacts(
            category=Category.MARKETING,
            granted=True,
            source=source,
            text_version=more.get("text_version"),
            evidence=more.get("evidence"),
            at=moment,
            purpose=more.get("purpose"),
            channel=more.get("channel"),
            operator=more.get("operator"),
            incentive=more.get("incentive"),
        )


def _digits(value: object) -> str:
    text = stored("text", value) if isinstance(value, int | float) else str(value)
    return str(text)


def _moment(text: str) -> datetime | None:
    """A time; without an offset in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
