"""The four message categories and their order of urgency.

Owns the numbers stored in `category` columns. Must not know what a category is allowed to do: that
is policy.
"""

from __future__ import annotations

from enum import IntEnum


class Category(IntEnum):
    """What a message is for. The lower the number, the sooner it goes out."""

    OTP = 0
    TRANSACTIONAL = 1
    SERVICE = 2
    MARKETING = 3

    @property
    def label(self) -> str:
        """The name used in the API, in metrics and in the configuration: `otp`,
        `transactional`, …
        """
        return self.name.lower()

    @classmethod
    def of(cls, label: str) -> Category:
        """The category with this label. Raises ValueError that names the four labels."""
        try:
            return _BY_LABEL[label]
        except KeyError:
            raise ValueError(
                f"category {label!r}: expected one of {', '.join(_BY_LABEL)}"
            ) from None


_BY_LABEL = {category.label: category for category in Category}
