"""The API of files of suppressions over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from recipients.files.exporting import ExportDesk
from recipients.files.importing import ImportDesk
from recipients.just_stopped import JustStopped
from recipients.partner_hash import PartnerKey
from recipients.suppression_desk import SuppressionDesk
from tests.dispatch.world import VAULT, World, running, wall_ms
from tests.web.served import Api, running_api

ACCOUNT = 1
PARTNER = PartnerKey(bytes(range(32)))
SCOPES = ("suppressions:read", "suppressions:write", "suppressions:exchange")
CSV, NDJSON = "text/csv", "application/x-ndjson"
IMPORT = "/v1/suppressions/import"


@dataclass
class Desk:
    api: Api
    world: World
    stopped: JustStopped
    imports: ImportDesk
    exports: ExportDesk

    async def send(
        self, body: Any, query: str = "", *, media: str = CSV, key: str | None = None,
        path: str = IMPORT, **headers: str,
    ) -> tuple[aiohttp.ClientResponse, Any]:  # fmt: skip
        """Text or octets as a file."""
        given = {"Content-Type": media, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if key is not None:
            given["Idempotency-Key"] = key
        body = body.encode() if isinstance(body, str) else body
        return await self.api.call("POST", path + query, body, given)

    async def taken(self, body: Any, query: str = "", **how: Any) -> Any:
        response, answer = await self.send(body, query, **how)
        assert response.status == 202, answer
        return answer

    async def lines(self, path: str) -> list[Any]:
        """A stream of NDJSON, decoded."""
        return msgspec.json.Decoder().decode_lines(await self.octets(path))

    async def octets(self, path: str, status: int = 200) -> bytes:
        async with self.api.session.get(self.api.url + path, headers=self.api.headers) as response:
            octets = await response.read()
            assert response.status == status, octets
            return octets

    async def verdicts(self, answer: Any, rows: str = "all") -> list[tuple[int, str]]:
        found = await self.lines(f"/v1/suppressions/imports/{answer['id']}/verdicts?rows={rows}")
        return [(each["line"], each["code"]) for each in found]

    async def entries(self) -> list[dict[str, Any]]:
        rows = await self.world.connection.fetch("SELECT * FROM suppression ORDER BY to_idx")
        return [dict(row) for row in rows]


@asynccontextmanager
async def running_desk(url: str) -> AsyncIterator[Desk]:
    async with running(url) as world:
        stopped, database = JustStopped(), world.database
        imports = ImportDesk(
            database.read,
            database.dedicated("imports"),
            term=world.term.term,
            vault=VAULT,
            ids=world.ids,
            stopped=stopped,
            wall_ms=wall_ms,
        )
        exports = ExportDesk(
            database.read,
            database.dedicated("exports"),
            open_connection=database.open_connection,
            partners={"acme": PARTNER},
            vault=VAULT,
            ids=world.ids,
        )
        suppressions = SuppressionDesk(
            database.read,
            database.dedicated("suppressions"),
            vault=VAULT,
            ids=world.ids,
            stopped=stopped,
            wall_ms=wall_ms,
        )
        async with running_api(
            imports=imports, exports=exports, suppressions=suppressions, wall_ms=wall_ms
        ) as api:
            api.headers = api.new_key(ACCOUNT, *SCOPES)
            yield Desk(api, world, stopped, imports, exports)
            await suppressions.close()
