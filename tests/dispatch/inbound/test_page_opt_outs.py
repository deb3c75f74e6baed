"""The opt-out page over a real server and database: a person's press, and everybody else's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatch.inbound.opt_outs import Confirmation, OptOutPolicy
from dispatch.inbound.page_opt_outs import PagePolicy
from dispatch.outbox.withdrawal import Withdrawal
from dlr.reasons import Reason
from dlr.status import Status
from dlr.webhooks.changes import decode
from recipients.replies import ReplyWords
from recipients.scopes import OptOutScopes
from shortlinks.opt_out_door import BODY_OCTETS_MAX
from storage.categories import Category
from storage.pool import close_connection, connect
from storage.suppression import EVERY_CATEGORY, Suppression, Undo, add, undo_keywords
from tests.dispatch.inbound.pages import PERSON, TARGET, Pages, pages
from tests.dispatch.inbound.world import ACCOUNT, HANDSET, SENDER
from tests.dispatch.world import VAULT, wall_ms
from tests.shortlinks.journal_files import recorded

INDEX = VAULT.index(HANDSET)
MARKETING, SERVICE = int(Category.MARKETING), int(Category.SERVICE)
STOP, UNDO, CHOOSE = ("action", "stop"), ("action", "undo"), ("action", "choose")


@pytest.fixture
async def served(database_url: str, tmp_path: Path) -> AsyncIterator[Pages]:
    async with pages(database_url, tmp_path) as served:
        yield served


async def test_one_press_opts_out_with_its_evidence_and_one_takes_it_back(served: Pages) -> None:
    message_id, code, _ = await served.link()
    status, html = await served.get(code)
    assert (status, await served.suppressed()) == (200, [])
    assert "Messages from Shop" in html and "Stop offers and news" in html
    status, html = await served.press(code, STOP)
    assert status == 200
    assert "Done: Shop will send you no more offers and news." in html and "Undo" in html
    assert await served.suppressed() == [(ACCOUNT, MARKETING, "page", SENDER)]
    evidence = await served.world.connection.fetchrow(
        "SELECT to_idx, reason, message_id, to_enc FROM suppression"
    )
    assert evidence is not None
    assert tuple(evidence) == (INDEX, Reason.OPTED_OUT, message_id, VAULT.seal(HANDSET))
    assert served.stopped.reason(INDEX, ACCOUNT, MARKETING, wall_ms()) == Reason.OPTED_OUT
    status, html = await served.press(code, UNDO)
    assert status == 200 and "Stop offers and news" in html
    assert await served.suppressed() == []
    assert served.stopped.reason(INDEX, ACCOUNT, MARKETING, wall_ms()) is None
    trail = await served.world.connection.fetch(
        "SELECT account, actor, action, subject, detail, text FROM audit ORDER BY id"
    )
    said = {"category": MARKETING, "how": "page", "message_id": message_id}
    assert [tuple(row) for row in trail] == [
        (ACCOUNT, "page", "suppression.add", INDEX, said, "127.0.0.0/24"),
        (ACCOUNT, "page", "suppression.remove", INDEX, said, "127.0.0.0/24"),
    ]
    assert served.named == [(message_id, ACCOUNT)]
    assert served.desk.counts == {"opted_out": 1, "opted_in": 1}
    assert sum(served.opt_outs.latency.counts) == 1


async def test_what_waits_for_the_number_is_ended(served: Pages) -> None:
    started = await served.world.connection.fetchval("SELECT now()")
    message_id, code, _ = await served.link()
    await served.press(code, STOP)
    withdrawal = Withdrawal(served.world.ids, started)
    await withdrawal.turn(served.world.connection, started)
    assert await served.world.results() == {(message_id, 0): Status.SUPPRESSED}


async def test_the_page_says_so_only_after_the_commit(served: Pages, database_url: str) -> None:
    """Somebody holds the table: the press waits with its commit, and no page says it is done."""
    _, code, _ = await served.link()
    await served.get(code)
    other = await connect(database_url, application_name="holder")
    try:
        holding = other.transaction()
        await holding.start()
        await other.execute("LOCK TABLE suppression IN EXCLUSIVE MODE")
        press = asyncio.create_task(served.press(code, STOP))
        await served.world.until(
            "SELECT count(*) FROM pg_locks WHERE NOT granted"
            " AND relation = 'suppression'::regclass",
            1,
        )
        assert not press.done()
        assert served.stopped.reason(INDEX, ACCOUNT, MARKETING, wall_ms()) == Reason.OPTED_OUT
        await holding.rollback()
        assert "Done" in (await press)[1]
        assert await served.suppressed() == [(ACCOUNT, MARKETING, "page", SENDER)]
    finally:
        await close_connection(other)


async def test_without_a_database_nothing_is_promised(served: Pages) -> None:
    _, code, _ = await served.link()
    await served.get(code)
    await served.world.database.close()
    status, html = await served.press(code, STOP)
    assert status == 503
    assert "Done" not in html


CHROME = PERSON["User-Agent"]
# What real machines send when they see a link: method, headers, and for some a body.
MACHINES: dict[str, tuple[str, dict[str, str]]] = {
    "iMessage": (
        "GET",
        {
            "User-Agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 "
            "(KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot "
            "Twitterbot/1.0",
            "Accept": "*/*",
        },
    ),
    "Google Messages": ("GET", {"User-Agent": "GoogleMessages", "Accept": "text/html"}),
    "older Google preview": (
        "GET",
        {
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Google-PageRenderer "
            "Google (+https://developers.google.com/+/web/snippet/)"
        },
    ),
    "WhatsApp": ("GET", {"User-Agent": "WhatsApp/2.23.20.0 A"}),
    "link checker": ("HEAD", {"User-Agent": CHROME}),
    "security gateway": ("GET", {"User-Agent": "Barracuda Sentinel (EE)"}),
    "sandbox that looks like a browser": ("GET", {"User-Agent": CHROME}),
    "Chrome prefetch": ("GET", {"User-Agent": CHROME, "Sec-Purpose": "prefetch;prerender"}),
    "older Chrome": ("GET", {"User-Agent": CHROME, "Purpose": "prefetch"}),
    "older Firefox": ("GET", {"User-Agent": CHROME, "X-Moz": "prefetch"}),
    "nothing said": ("GET", {}),
    "empty post": ("POST", {"User-Agent": CHROME}),
}


@pytest.mark.parametrize("machine", MACHINES)
async def test_no_machine_that_opens_the_link_changes_anything(served: Pages, machine: str) -> None:
    method, headers = MACHINES[machine]
    _, code, _ = await served.link()
    for path in (f"/{code}", f"/{code}+", f"/{code}?action=stop&List-Unsubscribe=One-Click"):
        answer = await served.client.request(method, path, headers=headers, allow_redirects=False)
        assert answer.status == (400 if method == "POST" else 200)
        assert "Set-Cookie" not in answer.headers
    assert await served.suppressed() == []
    assert await served.world.count("audit") == 0


@pytest.mark.parametrize(
    "headers",
    [
        MACHINES["iMessage"][1],
        MACHINES["security gateway"][1],
        {"User-Agent": CHROME.replace("Chrome", "HeadlessChrome")},
        MACHINES["Chrome prefetch"][1],
    ],
)
async def test_a_machine_that_presses_the_button_and_names_itself_changes_nothing(
    served: Pages, headers: dict[str, str]
) -> None:
    _, code, _ = await served.link()
    status, html = await served.press(code, STOP, **headers)
    assert status == 403
    assert "Nothing was changed" in html
    assert await served.suppressed() == []


@pytest.mark.parametrize("agent", ["", "Vorlagen/1.0", "Mozilla/5.0"])
async def test_who_says_nothing_of_itself_may_opt_out(served: Pages, agent: str) -> None:
    _, code, _ = await served.link()
    assert (await served.press(code, STOP, **{"User-Agent": agent}))[0] == 200
    assert len(await served.suppressed()) == 1


MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click"),
        ("multipart/form-data; boundary=b", MULTIPART),
    ],
)
async def test_one_click_as_rfc_8058_describes_it(
    served: Pages, content_type: str, body: bytes
) -> None:
    """Without cookies, without a redirect, by a mail provider's program."""
    _, code, _ = await served.link()
    sent = {"Content-Type": content_type, "User-Agent": "Google-Mail-Unsubscribe/1.0"}
    answer = await served.client.post(f"/{code}", data=body, headers=sent, allow_redirects=False)
    assert answer.status == 200
    assert await served.suppressed() == [(ACCOUNT, MARKETING, "page", SENDER)]
    (row,) = await served.world.connection.fetch("SELECT detail FROM audit")
    assert row["detail"]["how"] == "one_click"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", b""),
        ("application/x-www-form-urlencoded", b"action=start"),
        ("application/x-www-form-urlencoded", b"action=stop&action=undo"),
        ("application/x-www-form-urlencoded", b"action=choose&wanted=otp"),
        ("application/x-www-form-urlencoded", b"action=choose&month_max=3"),
        ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click%00"),
        ("application/x-www-form-urlencoded", b"\xff\xfe=stop"),
        ("application/x-www-form-urlencoded", b"&".join([b"action=stop"] * 100)),
        ("application/json", b'{"action":"stop"}'),
        ("multipart/form-data; boundary=b", b"--c\r\n\r\naction=stop"),
        ("multipart/form-data", MULTIPART),
        ("multipart/form-data; boundary*=utf-8''b; boundary*0*=x", MULTIPART),
    ],
)
async def test_a_body_that_asks_for_nothing_known_changes_nothing(
    served: Pages, content_type: str, body: bytes
) -> None:
    _, code, _ = await served.link()
    answer = await served.client.post(
        f"/{code}", data=body, headers={**PERSON, "Content-Type": content_type}
    )
    assert answer.status == 400
    assert await served.suppressed() == []


async def test_an_address_with_many_fields_is_answered_as_one_without(served: Pages) -> None:
    """The wish is in the body, and is done: the person must be told so."""
    _, code, _ = await served.link()
    address = f"{code}?{'&'.join(['lang=zh'] * 100)}"
    assert (await served.get(address))[0] == 200
    status, html = await served.press(address, STOP)
    assert (status, "Done: Shop" in html) == (200, True)


async def test_a_body_without_end_is_not_read_to_its_end(served: Pages) -> None:
    _, code, _ = await served.link()
    body = b"action=stop&x=" + b"x" * BODY_OCTETS_MAX
    assert (await served.client.post(f"/{code}", data=body, headers=PERSON)).status == 413
    assert await served.suppressed() == []


async def test_the_page_is_no_click_and_other_links_take_no_form(served: Pages) -> None:
    _, code, other = await served.link()
    await served.get(code)
    await served.press(code, STOP)
    assert recorded(served.journal.folder) == []
    answer = await served.client.post(f"/{other}", data={"action": "stop"}, headers=PERSON)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert (await served.client.get(f"/{other}", allow_redirects=False)).headers[
        "Location"
    ] == TARGET


async def test_headers_keep_the_page_to_itself(served: Pages) -> None:
    _, code, _ = await served.link()
    for answer in (
        await served.client.get(f"/{code}", headers=PERSON),
        await served.client.post(f"/{code}", data={"action": "stop"}, headers=PERSON),
    ):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "form-action 'self'" in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert not re.search(r"<script|javascript:|\son\w+=|src=|<link", await answer.text())


async def test_a_person_chooses_by_category(served: Pages) -> None:
    _, code, _ = await served.link()
    await served.press(code, CHOOSE, ("wanted", "transactional"))
    assert await served.suppressed() == [
        (ACCOUNT, SERVICE, "page", SENDER),
        (ACCOUNT, MARKETING, "page", SENDER),
    ]
    _, html = await served.press(code, CHOOSE, ("wanted", "marketing"), ("wanted", "transactional"))
    assert await served.suppressed() == [(ACCOUNT, SERVICE, "page", SENDER)]
    assert re.findall(r'value="(\w+)" checked', html) == ["marketing", "transactional"]


async def test_everything_ends_and_a_choice_opens_what_it_names(served: Pages) -> None:
    _, code, _ = await served.link()
    await served.press(code, ("action", "stop_all"))
    assert await served.suppressed() == [(ACCOUNT, EVERY_CATEGORY, "page", SENDER)]
    await served.press(code, CHOOSE)
    assert await served.suppressed() == [(ACCOUNT, EVERY_CATEGORY, "page", SENDER)]
    await served.press(code, CHOOSE, ("wanted", "service"), ("wanted", "transactional"))
    assert await served.suppressed() == [(ACCOUNT, MARKETING, "page", SENDER)]


async def test_the_page_takes_back_nothing_that_another_way_ended(served: Pages) -> None:
    _, code, _ = await served.link()
    by_word = Suppression(INDEX, Reason.OPTED_OUT, "keyword", ACCOUNT, MARKETING, detail=SENDER)
    await add(served.world.connection, [by_word])
    _, html = await served.get(code)
    assert 'value="undo"' not in html and "disabled" in html
    await served.press(code, UNDO)
    await served.press(code, CHOOSE, ("wanted", "marketing"), ("wanted", "service"))
    assert (ACCOUNT, MARKETING, "keyword", SENDER) in await served.suppressed()


async def test_a_word_of_the_recipient_takes_back_what_the_page_ended(served: Pages) -> None:
    _, code, _ = await served.link()
    await served.press(code, STOP)
    await undo_keywords(served.world.connection, [Undo(INDEX, ACCOUNT, SENDER)])
    assert await served.suppressed() == []


async def test_of_a_brand_only_its_senders_end(served: Pages) -> None:
    served.opt_outs.scopes = OptOutScopes({ACCOUNT: {SENDER: "a", "2": "a", "3": "b"}})
    _, code, _ = await served.link()
    _, of_b, _ = await served.link(sender="3")
    await served.press(code, STOP)
    senders = "SELECT senders FROM suppression"
    assert await served.world.connection.fetchval(senders) == [SENDER, "2"]
    assert "Stop offers" in (await served.get(of_b))[1]
    await served.press(of_b, STOP)
    await served.press(code, UNDO)
    assert await served.world.connection.fetchval(senders) == ["3"]


async def test_an_opt_out_is_confirmed_as_one_by_a_word_once(
    database_url: str, tmp_path: Path
) -> None:
    policy = OptOutPolicy(ReplyWords.of(), EVERY_CATEGORY, "You are out.")
    async with pages(database_url, tmp_path, policies={ACCOUNT: policy}) as served:
        _, code, _ = await served.link()
        for _ in range(2):
            assert (await served.press(code, STOP))[0] == 200
        assert await served.suppressed() == [(ACCOUNT, EVERY_CATEGORY, "page", SENDER)]
        assert served.owed == [Confirmation(ACCOUNT, HANDSET, SENDER, "You are out.")]


async def test_webhooks_hear_of_both(served: Pages) -> None:
    await served.world.connection.execute(
        "INSERT INTO webhook_endpoint (id, account, url, events)"
        " VALUES (1, $1, 'https://a.example/', '{recipient.*}')",
        ACCOUNT,
    )
    _, code, _ = await served.link()
    await served.press(code, STOP)
    await served.press(code, UNDO)
    rows = await served.world.connection.fetch("SELECT * FROM webhook_change ORDER BY id")
    told: list[Any] = [each for row in rows for each in decode(row["changes"]).others]
    assert [each.type for each in told] == ["recipient.opted_out", "recipient.opted_in"]
    assert b'"source":"page"' in bytes(told[0].data)


async def test_to_a_person_that_was_erased_the_page_promises_nothing(served: Pages) -> None:
    _, code, _ = await served.link()
    await served.world.connection.execute(
        "UPDATE message SET to_idx = uuid_send(gen_random_uuid()), to_enc = ''"
    )
    status, html = await served.press(code, STOP)
    assert status == 410 and "Done" not in html
    assert await served.suppressed() == []


async def test_a_link_whose_message_is_deleted_says_so(served: Pages) -> None:
    message_id, code, _ = await served.link()
    await served.world.connection.execute("DELETE FROM message WHERE id = $1", message_id)
    assert (await served.get(code))[0] == 410
    assert (await served.press(code, STOP))[0] == 410


@pytest.mark.parametrize(
    ("asked", "of_account", "path", "tag"),
    [
        ("zh-CN,zh;q=0.9", "en", "", "zh-CN"),
        ("fr", "zh", "", "zh-CN"),
        ("fr, en;q=0.2", "zh", "", "en"),
        ("", "en", "", "en"),
        ("zh", "en", "?lang=en", "en"),
    ],
)
async def test_the_language_is_the_readers_else_the_accounts(
    served: Pages, asked: str, of_account: Any, path: str, tag: str
) -> None:
    served.desk.policies = {ACCOUNT: PagePolicy("<b>&", of_account)}
    _, code, _ = await served.link()
    _, html = await served.get(code + path, **{"Accept-Language": asked})
    assert f'<html lang="{tag}">' in html
    assert "&lt;b&gt;&amp;" in html and "<b>" not in html


async def test_a_wish_for_fewer_is_stored_shown_and_forgotten(served: Pages) -> None:
    served.desk.policies = {ACCOUNT: PagePolicy("Shop", asks_month=True)}
    _, code, _ = await served.link()
    every = [("wanted", label) for label in ("marketing", "service", "transactional")]
    _, html = await served.press(code, CHOOSE, *every, ("month_max", "2"))
    assert 'value="2" selected' in html
    stored = "SELECT month_max FROM preference WHERE account = $1 AND to_idx = $2"
    assert await served.world.connection.fetchval(stored, ACCOUNT, INDEX) == 2
    assert await served.suppressed() == []
    await served.press(code, CHOOSE, *every, ("month_max", "0"))
    assert await served.world.count("preference") == 0
    assert [
        row["detail"]["month_max"]
        for row in await served.world.connection.fetch("SELECT detail FROM audit ORDER BY id")
    ] == [2, None]


async def test_wished_days_are_stored_shown_and_any_day_is_none(served: Pages) -> None:
    served.desk.policies = {ACCOUNT: PagePolicy("Shop", asks_month=True)}
    _, code, _ = await served.link()
    every = [("wanted", label) for label in ("marketing", "service", "transactional")]
    _, html = await served.press(code, CHOOSE, *every, ("day", "sat"), ("day", "sun"))
    assert re.findall(r'name="day" value="(\w+)" checked', html) == ["sat", "sun"]
    stored = "SELECT month_max, days FROM preference WHERE account = $1 AND to_idx = $2"
    row = await served.world.connection.fetchrow(stored, ACCOUNT, INDEX)
    assert row is not None
    assert tuple(row) == (None, 0b110_0000)
    await served.press(code, CHOOSE, *every, ("day", "sat"), ("month_max", "4"))
    row = await served.world.connection.fetchrow(stored, ACCOUNT, INDEX)
    assert row is not None
    assert tuple(row) == (4, 0b010_0000)
    status, _ = await served.press(code, CHOOSE, *every, ("day", "someday"))
    assert status == 400
    week = [("day", day) for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")]
    await served.press(code, CHOOSE, *every, *week)
    assert await served.world.count("preference") == 0
    details = await served.world.connection.fetch("SELECT detail FROM audit ORDER BY id")
    assert [(row["detail"]["month_max"], row["detail"]["days"]) for row in details] == [
        (None, 96), (4, 32), (None, None)
    ]  # fmt: skip
