"""What may be wrong with a template's text although it can be sent: rules R1 to R20.

Owns their order, and which of them look at what. Must not keep a version from being stored: who
sends it decides. The rules themselves are in the modules named rules_*. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from campaigns.templates.content import Version
from campaigns.templates.findings import Case, Finding, Occasion
from campaigns.templates.lengths import Measure, longest
from campaigns.templates.rendering import render_shortest
from campaigns.templates.rules_appeal import (
    r5_benefit_first,
    r6_digit,
    r7_action,
    r8_link,
    r12_urgency,
    r13_generic,
)
from campaigns.templates.rules_form import (
    r1_length,
    r2_signature,
    r3_opt_out,
    r4_reply_word,
    r18_alphabet,
)
from campaigns.templates.rules_occasion import r9_links_live, r19_repetition, r20_hours
from campaigns.templates.rules_variables import r14_fallbacks, r15_places
from campaigns.templates.rules_words import r10_forbidden, r11_superlatives, r16_contents, r17_signs

Rule = Callable[[Case], Iterator[Finding]]

RULES: Final[Mapping[str, Rule]] = {
    "R1": r1_length, "R2": r2_signature, "R3": r3_opt_out, "R4": r4_reply_word,
    "R5": r5_benefit_first, "R6": r6_digit, "R7": r7_action, "R8": r8_link, "R9": r9_links_live,
    "R10": r10_forbidden, "R11": r11_superlatives, "R12": r12_urgency, "R13": r13_generic,
    "R14": r14_fallbacks, "R15": r15_places, "R16": r16_contents, "R17": r17_signs,
    "R18": r18_alphabet, "R19": r19_repetition, "R20": r20_hours,
}  # fmt: skip


def lint(version: Version, measure: Measure, occasion: Occasion) -> list[Finding]:
    """Everything that the rules find, in their order. `measure`: of the account that sends it."""
    case = Case.of(
        version,
        longest(version, measure),
        measure(render_shortest(version), version.content.category),
        occasion,
    )
    return [finding for rule in RULES.values() for finding in rule(case)]
