"""Whether an event that was told is as the table of events says, and so the API's document."""

from __future__ import annotations

from typing import Any

import msgspec

from dlr.webhooks.catalogue import EVENT_KINDS
from dlr.webhooks.events import BATCH


def check(event: dict[str, Any]) -> None:
    """Its type is told, its data has the fields of that type and no others."""
    kind = EVENT_KINDS[event["type"]]
    assert kind.data is not None, event["type"]
    fields = msgspec.structs.fields(kind.data)
    data = event["data"]
    assert set(data) <= {field.encode_name for field in fields}, event["type"]
    msgspec.convert(data, kind.data)
    if event["type"] == BATCH:
        for each in data["events"]:
            check(each)
