"""The two numbers in `connector` columns that stand for no carrier.

Owns these and the reserved name. Carriers have the numbers of table `connector`, from 1 on.
"""

from __future__ import annotations

NO_CONNECTOR = 0  # a message that ended without the wire
SANDBOX = -1  # the built-in sink; written out in SQL that leaves its messages out
SANDBOX_NAME = "sandbox"
