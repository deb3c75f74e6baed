"""What can be wrong with a campaign, and with its contacts, segments and templates.

Owns that union; problems.py has it in its table. Must not describe a kind itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.edge.cap_problems import CAP_KINDS
from web.edge.contact_problems import CONTACT_KINDS
from web.edge.problem_kind import ProblemKind
from web.edge.running_problems import RUNNING_KINDS
from web.edge.segment_problems import SEGMENT_KINDS
from web.edge.template_problems import TEMPLATE_KINDS

CAMPAIGN_KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {**CAP_KINDS, **CONTACT_KINDS, **RUNNING_KINDS, **SEGMENT_KINDS, **TEMPLATE_KINDS}
)
