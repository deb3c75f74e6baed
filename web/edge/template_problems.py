"""What can be wrong with a template, or with a message that is made by one.

Owns these kinds; problems.py has them in its table. Must not decide when one is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.edge.problem_kind import ProblemKind

TEMPLATE_KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        "template_unknown": ProblemKind(
            422, "Template unknown", "Name one of the account, as in `tpl_…` or `tpl_…@3`."
        ),
        "template_conflict": ProblemKind(
            422, "Text and template", "Send a `text` or a `template_id`."
        ),
        "template_category": ProblemKind(
            422, "Template of another category", "Leave `category` out: the template has one."
        ),
        "template_param_unfit": ProblemKind(
            422,
            "Value does not fit",
            "Send a value of the variable's type and length, or give the template a fallback.",
        ),
        "param_unknown": ProblemKind(
            422, "No such variable", "Name the variables of the template in `params`."
        ),
        "template_invalid": ProblemKind(422, "Not a template", "Correct what the detail names."),
        "template_ended": ProblemKind(409, "Template has ended", "Make another one."),
        "variable_unknown": ProblemKind(
            422, "Variable not defined", "Define each `{{name}}` of the body in `variables`."
        ),
        "variable_unused": ProblemKind(
            422, "Variable not in the body", "Put it into the body, or leave it out."
        ),
        "variable_invalid": ProblemKind(
            422, "Not a variable", "Correct its type, length, source or fallback."
        ),
        "provider_unknown": ProblemKind(422, "Provider unknown", "Name one that the detail lists."),
        "link_mode_refused": ProblemKind(
            422,
            "Link mode not possible",
            "Use `shared` links where a provider wants constant ones.",
        ),
        "waiver_refused": ProblemKind(
            422, "Nothing to waive", "Waive warnings that the version has; errors are corrected."
        ),
    }
)
