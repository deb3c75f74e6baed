"""The text of a message as it will be sent, or why it cannot be.

Owns the order of what is added to a text: short links, signature, the way to opt out. Parts are
counted of the whole. Must not make a code: what stands in its place has its length. Pure.
"""

from __future__ import annotations

import re
from unicodedata import east_asian_width

import msgspec

from messages.accept.named_links import Named
from messages.models import AccountPolicy, FieldError
from messages.requests import MessageRequest
from shortlinks.rewrite import (
    NAMED_PLACES,
    OPT_OUT_MARK,
    OPT_OUT_PLACE,
    OPT_OUT_TARGET,
    PLACEHOLDER_CODE,
    TEXT_CHARACTERS_MAX,
    TooManyLinksError,
    find_links,
    short_urls,
    targets_of,
    with_place,
    with_placeholders,
)
from smpp.encoding import TextSettings, count_parts
from smpp.text import TooManyParts, Unencodable
from smpp.vocabulary import DATA_CODING_DEFAULT, DATA_CODING_LATIN_1, DATA_CODING_UCS2
from storage.categories import Category

_UNITS_PART_MAX = 160  # no part holds more characters, whatever the alphabet
# Line feed, carriage return and tab are text; other controls are not. U+0000 cannot be stored, and
# half of a surrogate pair cannot be sent. U+FFFE in front says "the other byte order" to a phone.
_NOT_TEXT = re.compile("[\0-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# The alphabet as it is stored; the carrier's data_coding is a matter of its connector.
_DATA_CODINGS = {
    "gsm7": DATA_CODING_DEFAULT, "latin1": DATA_CODING_LATIN_1, "ucs2": DATA_CODING_UCS2,
}  # fmt: skip


class FinalText(msgspec.Struct, gc=False):
    """A text as it will be sent. The fields are those of Prepared."""

    text: str
    links: tuple[str, ...]
    slots: tuple[int, ...]
    data_coding: int
    parts: int


class TextRules:
    """Texts under one base of short links, as `shortlinks.rewrite.parse_base_url` returns it."""

    def __init__(self, link_base_url: str) -> None:
        self._link_base_url = link_base_url
        self._placeholder = short_urls(link_base_url, [PLACEHOLDER_CODE])[0]

    def final(
        self,
        request: MessageRequest,
        account: AccountPolicy,
        category: int,
        settings: TextSettings,
        parts_max: int,
        named: Named = (),
    ) -> FinalText | FieldError:
        """Put in `named` links, shorten others, add signature and suffix, count parts: in this
        order.
        """
        fault = _text_fault(request.text)
        if fault is not None:
            return fault
        if request.max_parts is not None:
            if request.max_parts < 1:
                return FieldError("out_of_range", "max_parts is 1 or more", "/max_parts")
            parts_max = min(parts_max, request.max_parts)
        shorten = account.shorten_urls if request.shorten_urls is None else request.shorten_urls
        try:
            text, links, slots, foreign = self._linked(
                request.text, shorten, account, category, named
            )
            if len(text) > parts_max * _UNITS_PART_MAX:
                raise TooManyParts(-(-len(text) // _UNITS_PART_MAX), parts_max)
            alphabet, parts = count_parts(text, settings, parts_max=parts_max)
        except TooManyParts as error:
            detail = f"text needs {error.parts} parts or more, {error.parts_max} are allowed"
            return FieldError("text_too_long", detail, "/text")
        except TooManyLinksError as error:
            return FieldError("links_too_many", f"text holds {error}", "/text")
        except Unencodable as error:
            return FieldError("text_invalid", str(error), "/text")
        if foreign:
            # The code of another link would be put there, and the flush of many messages would
            # fail.
            detail = f"text holds {self._placeholder}, which stands for a link not made yet"
            return FieldError("text_invalid", detail, "/text")
        return FinalText(text, links, slots, _DATA_CODINGS[alphabet], parts)

    def _linked(
        self, text: str, shorten: bool, account: AccountPolicy, category: int, named: Named
    ) -> tuple[str, tuple[str, ...], tuple[int, ...], bool]:
        """Text, targets and slots; and whether a placeholder stands in it that is none of ours."""
        links: tuple[str, ...] = ()
        slots: tuple[int, ...] = ()
        text = text.replace(OPT_OUT_MARK, OPT_OUT_PLACE)
        places: list[tuple[str, str]] = []
        for place, (mark, target) in zip(NAMED_PLACES, named, strict=False):
            text = text.replace(mark, place)
            places.append((place, target))
        if shorten and "://" in text:
            text, links, slots = self._with_placeholders(text)
        text = _signed(text, account, category)
        if OPT_OUT_PLACE in text:
            places.append((OPT_OUT_PLACE, OPT_OUT_TARGET))
        foreign = bool(slots or places) and text.count(self._placeholder) != len(slots)
        if not foreign:
            for place, target in places:
                text, links, slots = with_place(
                    text, links, slots, self._link_base_url, place, target
                )
        return text, links, slots, foreign

    def _with_placeholders(self, text: str) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
        # A text with a placeholder of its own would be filled wrongly. Links to ourselves are
        # shortened like any other there.
        ours = "" if self._placeholder in text else self._link_base_url
        spans = find_links(text, except_under=ours)
        if not spans:
            return text, (), ()
        marked = with_placeholders(text, spans, self._link_base_url)
        return marked, tuple(targets_of(spans)), tuple(span.slot for span in spans)


def _text_fault(text: str) -> FieldError | None:
    if not text or text.isspace():
        return FieldError("text_empty", "text is empty", "/text")
    if len(text) > TEXT_CHARACTERS_MAX:
        detail = f"text has more than {TEXT_CHARACTERS_MAX} characters"
        return FieldError("text_too_long", detail, "/text")
    # isprintable is one pass in C and true for most texts. Only others (line breaks, emoji) are
    # searched.
    if not text.isprintable() and (match := _NOT_TEXT.search(text)):
        detail = f"text holds U+{ord(match[0]):04X}, which is no character of a text"
        return FieldError("text_invalid", detail, "/text")
    return None


def _signed(text: str, account: AccountPolicy, category: int) -> str:
    """Put the signature in front and, for marketing, the way to opt out behind. Neither twice.

    A text with an opt-out link needs no second one.
    """
    if account.signature and not text.startswith(account.signature):
        text = _joined(account.signature, text)
    suffix = account.opt_out_suffix
    if not suffix or category != Category.MARKETING:
        return text
    if OPT_OUT_MARK in suffix:
        suffix = suffix.replace(OPT_OUT_MARK, OPT_OUT_PLACE)
        return text if OPT_OUT_PLACE in text else _joined(text, suffix)
    return text if suffix in text else _joined(text, suffix)


def _joined(left: str, right: str) -> str:
    """Both in one, with a space between so that no word or link runs on. Chinese takes no space."""
    if left[-1].isspace() or right[0].isspace() or east_asian_width(left[-1]) in "WF":
        return left + right
    return f"{left} {right}"
