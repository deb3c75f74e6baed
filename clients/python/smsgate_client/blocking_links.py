"""Owns what an account can do with links, for code that blocks.

Must not know a path or a shape of JSON: see calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls
from smsgate_client import links as s
from smsgate_client.blocking import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Unpack

    from smsgate_client import filters as f


class Links(Noun):
    """Short links that belong to no message."""

    def create(self, link: s.NewLink, *, idempotency_key: str | None = None) -> s.Link:
        """Make one. Repeated, also by you with the same key, it is one."""
        return self._client.run(calls.new_link(link, idempotency_key))

    def create_many(
        self, links: Sequence[s.NewLink], *, idempotency_key: str | None = None
    ) -> s.LinkBatch:
        """Make up to 10 000. A wrong one is an item's error and stops no other."""
        return self._client.run(calls.new_links(links, idempotency_key))

    def list(self, **which: Unpack[f.LinkFilter]) -> Iterator[s.Link]:
        """Those that fit, the latest first."""
        return self._client.each(calls.listed(under("links"), s.Link, **which))

    def get(self, link_id: str) -> s.Link:
        """One as it stands; raises NotFound."""
        return self._client.run(calls.get(under("links", link_id), s.Link))

    def change(self, link_id: str, **changes: Unpack[s.LinkChanges]) -> s.Link:
        """Change what is given, and nothing else."""
        return self._client.run(calls.change_link(link_id, changes))

    def delete(self, link_id: str) -> None:
        """End it for good."""
        return self._client.run(calls.end(under("links", link_id)))

    def stats(self, link_id: str, **which: Unpack[f.LinkSpans]) -> s.LinkStats:
        """What its clicks amount to."""
        return self._client.run(calls.get(under("links", link_id, "stats"), s.LinkStats, **which))
