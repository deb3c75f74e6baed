"""Hosts are never cut: a link is taken whole with its right target, or all of it stays text."""

from __future__ import annotations

import re
from urllib.parse import unquote

import idna
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shortlinks.rewrite import (
    TooManyLinksError,
    find_links,
    links_left_alone,
    normalise_target,
)

ACUTE = "\u0301"


def targets(text: str) -> list[str]:
    return [span.target for span in find_links(text)]


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("http://उदाहरण.परीक्षा/x", "http://xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g/x"),
        (f"https://e.example/cafe{ACUTE}/menu", "https://e.example/cafe%CC%81/menu"),
        ("https://e.example/caf\u00e9/menu", "https://e.example/caf%C3%A9/menu"),
        ("https://例子.新闻/x", "https://xn--fsqu00a.xn--efvy88h/x"),
        ("https://例子.新闻", "https://xn--fsqu00a.xn--efvy88h/"),
        ("https://abc例子.com/x", "https://xn--abc-xc0e315c.com/x"),
        ("https://tiếng-việt.example/đường/ế", None),
        (f"https://cafe{ACUTE}.example/", "https://xn--caf-dma.example/"),
        ("https://მაგალითი.გე/გვერდი", None),
        ("https://اختبار.example/صفحة", None),
        ("https://e.example/क्षेत्र\u200dक?q=ा", None),
        ("https://faß.example", "https://xn--fa-hia.example/"),
        ("https://shop.exam\u00adple.other/x", "https://shop.example.other/x"),
        ("https://ｓｈｏｐ.example/x", "https://shop.example/x"),
        ("https://e.example/?u=https://b.example/c", "https://e.example/?u=https://b.example/c"),
        ("https://e.example/web/2026/http://b.example/", None),
        ("https://shop.example:8443/a", "https://shop.example:8443/a"),
        ("https://shop.example./a", "https://shop.example/a"),
    ],
)
def test_l1_a_link_is_taken_whole(link: str, target: str | None) -> None:
    if target is None:
        target = normalise_target(link)
        host = link.partition("://")[2].partition("/")[0]
        encoded = ".".join(
            label if label.isascii() else idna.alabel(label).decode() for label in host.split(".")
        )
        assert target.startswith(f"https://{encoded}/")
    for text in (link, f"见{link}", f"See {link}, please", f"（{link}）"):
        (span,) = find_links(text)
        assert (text[span.start : span.end], span.target) == (link, target), text
    assert normalise_target(target) == target


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("http://http://t.cn/R2", "link_ambiguous"),
        ("http://https://t.cn/R2", "link_ambiguous"),
        ("https://ftp://t.cn/R2", "link_ambiguous"),
        ("https://a.example/1https://b.example/2", "link_ambiguous"),
        ("https://a.example/1,https://b.example/2", "link_ambiguous"),
        ("https://例子.某某领取", "link_host_unclear"),
        ("https://shop.example.手机优惠", "link_host_unclear"),
        ("https://shop.example查看/领取", "link_host_unclear"),
        ("https://shop.example.查看/领取", "link_host_unclear"),
        ("https://i❤.ws/x", "link_target_invalid"),
        ("https://例子", "link_host_unclear"),
        ("https://shop.example%2f.evil.example/", "link_host_unclear"),
        ("https://shop.example\\@evil.example/", "link_host_unclear"),
        ("https://shop.example:8080abc/x", "link_host_unclear"),
        ("https://shop.example:999999/x", "link_target_invalid"),
        ("https://shop-.example/x", "link_target_invalid"),
        ("https://shop.example-/x", "link_target_invalid"),
        ("https://a\u200cb.example/", "link_target_invalid"),
        ("https://例え.テスト/パス?q=1。", "link_ambiguous"),  # its path, or words behind it
        ("https://shop.example/ไทย", "link_ambiguous"),
        ("https://shop.example/😀", "link_ambiguous"),
        ("https://shop.example/?q=查看", "link_ambiguous"),
        ("https://[::1]/x", "link_host_unclear"),
        ("https://user@bank.example/a", "link_host_unclear"),
    ],
)
def test_l1_what_is_not_surely_a_link_stays_text_and_says_why(text: str, code: str) -> None:
    assert find_links(text) == []
    assert [left.code for left in links_left_alone(text)][:1] == [code]
    assert targets(f"{text} https://shop.example/ok") == ["https://shop.example/ok"]


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("https://shop.example查看https://b.example/x", ["https://shop.example", "https://b.example/x"]),
        ("https://shop.example。查看https://b.example", ["https://shop.example", "https://b.example"]),
        ("https://shop.example🎉", ["https://shop.example"]),
        ("https://例子.中国点击，https://例子.com点击", ["https://例子.中国", "https://例子.com"]),
        ("https://shop.example:8443全场", ["https://shop.example:8443"]),
        ("https://shop.example/a查看", ["https://shop.example/a"]),
        ("https://shop.example/。查看", ["https://shop.example/"]),
        ("https://उदाहरण.example। फिर", ["https://उदाहरण.example"]),
    ],
)  # fmt: skip
def test_l1_words_behind_a_host_are_text(text: str, links: list[str]) -> None:
    assert [text[span.start : span.end] for span in find_links(text)] == links
    assert links_left_alone(text) == []


LABEL = st.text(
    "abz09-例子新闻中国한글ไทยnüéế" + ACUTE + "उद्क्षा\u200c\u200d٣שלוمთ😀ａ_", min_size=1, max_size=6
)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
BEHIND = st.sampled_from(
    ["", "/", "/x", "?q=1", "#a", ":80/x", " next", "，下", ".", "。", "查看", "!", "/é" + ACUTE]
)


@given(HOST, BEHIND)
@example("例子.新闻", "/x")
@example("shop.example", "查看")
@example("0.0.-0", "")
def test_l1_the_host_of_a_link_is_the_host_of_its_text(host: str, behind: str) -> None:
    """Whatever is taken, no letter, mark or joiner of the same kind stands right behind its host.

    Its target is what the taken text alone would lead to.
    """
    text = f"https://{host}{behind}"
    for span in find_links(text):
        taken = text[span.start : span.end]
        assert span.target == normalise_target(taken)
        rest = text[span.end :]
        if taken == f"https://{host}" or taken.startswith(f"https://{host}"):
            continue
        # A part of it was taken: then what follows is text by its script or a sentence's dot.
        assert not rest.startswith("/"), text
        first = rest.removeprefix(".").removeprefix("-")[:1]
        assert first == "" or ord(first) >= 0xE00 or first in ".-_", text


@given(st.text("aé" + ACUTE + "ा\u200d٣/.-?=&#Ω", max_size=30))
def test_l1_a_path_is_percent_encoded_and_not_normalised(path: str) -> None:
    link = f"https://e.example/{path}"
    for span in find_links(link):
        taken = link[span.start : span.end]
        # urlsplit drops a mark with nothing behind it; it says nothing.
        marks = "?#" in taken or "##" in taken
        assert unquote(span.target).rstrip("?#") == taken.rstrip("?#") or marks


@given(st.text("htps:/.?#@%\\\u200d" + ACUTE + "ab中新闻9-_ （，", max_size=80))
def test_l1_what_begins_like_a_link_is_one_or_says_why_it_is_not(text: str) -> None:
    try:
        links = [text[span.start : span.end] for span in find_links(text)]
    except TooManyLinksError:
        return
    left = [each.text for each in links_left_alone(text)]
    begun = re.findall(r"(?<![A-Za-z])https?://", text)
    # Those within another stay with it.
    within = sum(len(re.findall(r"(?<![A-Za-z])https?://", each[8:])) for each in (*links, *left))
    assert len(links) + len(left) <= len(begun) <= len(links) + len(left) + within
