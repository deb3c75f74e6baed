"""Short links put together from the configuration: the listener, and what stands behind it.

Owns that wiring, for a whole gateway and for one that only redirects. Must not start anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.events import naming
from gateway.config.settings import LinkSettings
from gateway.descriptors import fitted
from gateway.wiring import webhooks
from gateway.wiring.links import link_domains
from shortlinks.reclassify import Reviewer
from shortlinks.service import LinkService
from web.api.link_gets import LinkGets
from web.edge.listener import Listener
from web.samples import HistogramSample, Sample

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def build(rooms: Rooms) -> None:
    """Sets links_listener and links. Called when webhooks and opt-out pages stand."""
    links = fitted(rooms.config).links
    rooms.links_listener = link_listener(links)
    rooms.links = LinkService(
        rooms.links_listener,
        rooms.database,
        trusted_proxies=links.trusted_proxies,
        data_dir=Path(rooms.config.database.data_dir),
        keys=rooms.keys,
        ids=rooms.ids,
        node=rooms.term.node,
        told=webhooks.clicks_told(rooms),
        opt_outs=rooms.opt_out_pages,
        click_id_hosts=links.click_id_hosts,
        click_id_parameter=links.click_id_parameter,
        domains=link_domains(rooms.config),
        fallback=links.fallback_url or "",
        brand=links.brand,
        networks=links.networks,
        memory_bytes=links.memory,
        ended=rooms.task_ended,
    )
    rooms.links_listener.short_way = LinkGets(rooms.links.redirector, time.time)


def reviewer(rooms: Rooms) -> Reviewer:
    """Judges clicks again. Called when webhooks stand."""
    return Reviewer(
        webhooks.clicks_changed(rooms),
        people=naming.clicks,
        agents_days=rooms.config.links.agents_days,
    )


def link_listener(links: LinkSettings) -> Listener:
    """Takes the connections of the redirect server."""
    return Listener(
        "links",
        connections_max=links.connections_max,
        keep_alive_seconds=links.keep_alive_seconds,
        monotonic=time.monotonic,
    )


def samples(rooms: Rooms) -> Iterator[Sample | HistogramSample]:
    """The metrics of short links."""
    links = rooms.links
    for what, count in links.counts().items():
        yield Sample("sms_clicks_total", count, (what,))
    for what, count in links.answers().items():
        yield Sample("sms_link_answers_total", count, (what,))
    for what, count in links.lookups().items():
        yield Sample("sms_link_lookups_total", count, (what,))
    yield Sample("sms_link_memory_bytes", links.memory_bytes)
    yield Sample("sms_click_journal_bytes", links.journal_bytes)
    for what, count in links.visits().items():
        yield Sample("sms_landing_visits_total", count, (what,))
    for what, count in links.opt_out_pages().items():
        yield Sample("sms_optout_pages_total", count, (what,))
    yield from rooms.links_listener.samples()
