"""What can be wrong with a link that belongs to no message.

Owns these kinds; problems.py has them in its table. Must not decide when one is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.edge.problem_kind import ProblemKind

LINK_KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        "link_url_invalid": ProblemKind(
            422,
            "Not an address for a link",
            "Send an http or https URL with a host, without user name, spaces or controls, of at "
            "most 2 048 characters.",
        ),
        "link_host_refused": ProblemKind(
            422, "Host not allowed", "Ask the operator: settings name the hosts that links lead to."
        ),
        "link_loop": ProblemKind(
            422, "Link to a short link", "Name where it shall lead in the end."
        ),
        "link_name_unknown": ProblemKind(
            422, "Link not named", "Give the link's URL in `links`, under the name in the text."
        ),
        "link_unused": ProblemKind(
            422, "Link not in the text", "Put `{{link:…}}` with its name into the text."
        ),
        "link_param_missing": ProblemKind(
            422, "Value missing", "Give each `{{name}}` of the URL a value in `params`."
        ),
        "link_domain_unknown": ProblemKind(
            422, "Domain unknown", "Use one of the account's `link_domains`, or none."
        ),
        "link_deleted": ProblemKind(409, "Link has ended", "Make another one."),
        "slug_invalid": ProblemKind(422, "Not a slug", "Choose a name as the detail says."),
        "slug_reserved": ProblemKind(422, "Slug reserved", "Choose another name."),
        "slug_taken": ProblemKind(409, "Slug taken", "Choose another name, or leave it out."),
    }
)
