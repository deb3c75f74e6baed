"""Links are asked over real sockets before anybody gets them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from campaigns.link_check import LinkCheck
from dlr.webhooks.addresses import AddressPolicy
from dlr.webhooks.client import Attempt
from tests.dlr.webhooks.raw_receiver import Receiver, Talk, receiving
from tests.dlr.webhooks.test_client import client, leads_to, serving, text_of
from tests.smpp.certificates import CertificateAuthority

LOCAL = AddressPolicy.of(["127.0.0.0/8"])


def a_shop(receiver: Receiver) -> Talk:
    """Its path is the status that it answers."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        receiver.heads.append(head)
        status = head.split(" ")[1].lstrip("/").partition("?")[0]
        writer.write(
            f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()

    return talk


async def test_a_link_answers_200_over_tls_or_is_told(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    tls = serving(authority.issue("server", names=("app.example",)))
    async with receiving(a_shop, tls=tls) as shop:
        base = f"https://app.example:{shop.port}"
        links = {
            "main": f"{base}/200?n={{{{name}}}}", "gone": f"{base}/404", "moved": f"{base}/301",
            "plain": f"http://127.0.0.1:{shop.port}/200", "inside": "https://10.0.0.1/",
        }  # fmt: skip
        async with client(
            LOCAL, lookup=leads_to("127.0.0.1"), authority=text_of(authority)
        ) as asker:
            found = await LinkCheck(asker).faults(links)
        async with client(LOCAL, lookup=leads_to("127.0.0.1")) as asker:
            untrusted = await LinkCheck(asker).faults({"main": f"{base}/200"})
    assert found == {
        "main": None, "gone": "it answers 404", "moved": "it answers 301",
        "plain": "it is not https", "inside": "url refused",
    }  # fmt: skip
    assert untrusted == {"main": "tls failed"}
    assert sorted(head.split(" ")[0] + head.split(" ")[1] for head in shop.heads) == [
        "GET/200?n=", "GET/301", "GET/404",
    ]  # fmt: skip


class Silent:
    """An asker whom nobody answers, but for one address."""

    async def get(self, url: str) -> Attempt:
        if url.endswith("/quick"):
            return Attempt(status=200, milliseconds=1)
        await asyncio.Event().wait()
        raise AssertionError("nobody answers")


async def test_all_links_together_take_no_longer_than_they_may() -> None:
    links = {"quick": "https://a.example/quick", "slow": "https://a.example/slow"}
    found = await LinkCheck(Silent()).faults(links, 0.05)
    assert found == {"quick": None, "slow": "no answer in time"}
    assert await LinkCheck(Silent()).faults({}, 0.05) == {}
