"""Links in running text: where they end, where they lead, a length known before the code."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shortlinks.rewrite import (
    TARGET_CHARACTERS_MAX,
    InvalidTargetError,
    TooManyLinksError,
    find_links,
    is_location,
    normalise_target,
    parse_base_url,
    rewrite,
    short_urls,
    targets_of,
    with_placeholders,
)

BASE = "http://127.0.0.1:8081"


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("点击https://shop.example/a查看", ["https://shop.example/a"]),
        ("详情见https://shop.example查看。", ["https://shop.example"]),
        ("【商城】https://shop.example/a?x=1&y=2，回T退订", ["https://shop.example/a?x=1&y=2"]),
        ("链接：https://shop.example/a。", ["https://shop.example/a"]),
        ("(https://shop.example/a(b)).", ["https://shop.example/a(b)"]),
        ("“https://shop.example/a”！", ["https://shop.example/a"]),
        (
            "See https://shop.example/a, or http://b.example.",
            ["https://shop.example/a", "http://b.example"],
        ),
        ("See https://shop.example.查看详情", ["https://shop.example"]),
        ("价格100http://shop.example/1", ["http://shop.example/1"]),
        ("HTTPS://Shop.Example/A", ["HTTPS://Shop.Example/A"]),
        (
            "http://localhost:9000/x http://10.0.0.1/",
            ["http://localhost:9000/x", "http://10.0.0.1/"],
        ),
        ("访问https://例子.中国点击领取", ["https://例子.中国"]),
        ("访问https://www.例子.com/a领取", ["https://www.例子.com/a"]),
        ("https://münchen.example/straße ok", ["https://münchen.example/straße"]),
        ("https://shop.example/#/a?b=1!", ["https://shop.example/#/a?b=1"]),
        ("https://shop.example/{a}|b}", ["https://shop.example/{a}|b"]),
        ("https://shop.example:8443/a:全场", ["https://shop.example:8443/a"]),
        ("https://user@bank.example/a https://u:p@bank.example", []),
        ("no link: shop.example ftp://shop.example xhttp://shop.example http:// https://-", []),
    ],
)
def test_where_a_link_ends(text: str, links: list[str]) -> None:
    assert [text[span.start : span.end] for span in find_links(text)] == links


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Shop.Example", "https://shop.example/"),
        (
            "https://shop.example/a?x=%E4%BD%A0&y=你#z",
            "https://shop.example/a?x=%E4%BD%A0&y=%E4%BD%A0#z",
        ),
        ("https://例子.中国/a", "https://xn--fsqu00a.xn--fiqs8s/a"),
        ("https://例子。中国/a", "https://xn--fsqu00a.xn--fiqs8s/a"),
        ("https://bücher.example:8443", "https://xn--bcher-kva.example:8443/"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("http://shop.example?a=1", "http://shop.example/?a=1"),
    ],
)
def test_a_target_is_normalised_to_ascii(url: str, target: str) -> None:
    assert normalise_target(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://shop.example/",
        "//shop.example/",
        "https://",
        "https:///path",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example/a b",
        "https://shop.example/\x00",
        "https://shop.example\\@evil.example/",
        "https://bank.example@evil.example/",
        "https://shop.example:99999/",
        "https://[::1",
        "https://a..b/",
        "https://-a.example/",
        "https://" + "a" * 64 + ".example/",
        "https://shop.example/" + "a" * TARGET_CHARACTERS_MAX,
        "https://shop.example/" + "你" * 500,  # fits before percent-encoding, not after
    ],
)
def test_what_cannot_be_a_target(url: str) -> None:
    with pytest.raises(InvalidTargetError):
        normalise_target(url)


@given(st.text(max_size=80) | st.text(max_size=80).map(lambda tail: "https://a.example" + tail))
@example("https://a\u2100.example/")
def test_a_normalised_target_is_always_safe_in_a_header_and_stable(url: str) -> None:
    try:
        target = normalise_target(url)
    except InvalidTargetError:
        return
    assert is_location(target)
    assert normalise_target(target) == target


def test_equal_links_share_a_slot_and_nine_different_ones_are_too_many() -> None:
    text = "https://a.example/1 https://a.example/2 https://A.example/1"
    spans = find_links(text)
    assert [span.slot for span in spans] == [0, 1, 0]
    assert targets_of(spans) == ["https://a.example/1", "https://a.example/2"]
    assert rewrite(text, spans, ["one", "two"]) == "one two one"
    eight = " ".join(f"https://a.example/{n}" for n in range(8))
    assert len(targets_of(find_links(eight))) == 8
    with pytest.raises(TooManyLinksError):
        find_links(eight + " https://a.example/8")


@given(
    st.lists(
        st.sampled_from(
            ["点击", "https://shop.example/a", "，", " ", "http://例子.中国", "回T退订", "a", "/"]
        ),
        max_size=12,
    )
)
def test_the_length_is_known_before_the_code(pieces: list[str]) -> None:
    text = "".join(pieces)
    spans = find_links(text)
    codes = ["GhW4JqUW"] * len(targets_of(spans))
    final = rewrite(text, spans, short_urls(BASE, codes))
    assert len(final) == len(with_placeholders(text, spans, BASE))
    kept = [text[a.end : b.start] for a, b in itertools.pairwise(spans)]
    assert all(piece in final for piece in kept)


@given(st.text(alphabet="htps:/.@ab中。-()?#=1 \n", max_size=200))
def test_any_text_gives_ordered_disjoint_spans_of_valid_targets(text: str) -> None:
    try:
        spans = find_links(text)
    except TooManyLinksError:
        return
    ends = [0, *(span.end for span in spans)]
    assert all(end <= span.start < span.end for end, span in zip(ends, spans, strict=False))
    assert all(normalise_target(text[s.start : s.end]) == s.target for s in spans)


@pytest.mark.parametrize("base", [BASE, "https://s.example", "s.example"])
def test_our_own_short_links_are_not_shortened_again(base: str) -> None:
    parsed = parse_base_url(base + "/")
    assert parsed == base
    url = parsed if "://" in parsed else f"https://{parsed}"
    text = f"{url}/GhW4JqUW and https://s.example.evil/x"
    assert targets_of(find_links(text, except_under=parsed)) == ["https://s.example.evil/x"]


@pytest.mark.parametrize(
    "base", ["", "ftp://s.example", "https://s.example/path", "s.example?x", "a b"]
)
def test_a_base_url_is_scheme_host_and_port_only(base: str) -> None:
    with pytest.raises(InvalidTargetError):
        parse_base_url(base)


def test_a_text_beyond_the_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="5001"):
        find_links("a" * 5001)
