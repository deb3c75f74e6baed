"""Where webhooks may go.

Owns the section `[webhooks]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.config.base import Settings


class WebhookSettings(Settings, frozen=True, kw_only=True):
    """Where webhooks may go. Without any of these: to public addresses, by https, on port 443 or
    8443.
    """

    allow_networks: Annotated[
        tuple[str, ...],
        Meta(
            description='Networks such as "10.0.0.0/8" that webhooks may reach, on every port, '
            "though they are not public."
        ),
    ] = ()
    allow_http: Annotated[
        bool, Meta(description="Whether a webhook's URL may be http, which anybody between reads.")
    ] = False
    ports: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=65_535)], ...],
        Meta(description="Ports of public addresses beside 443 and 8443."),
    ] = ()
    ca_file: Annotated[
        str | None,
        Meta(
            description="File (PEM) of an authority that is trusted beside those of the system; "
            "certificates are always verified."
        ),
    ] = None
