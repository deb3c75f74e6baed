"""The few pages that a person may see instead of a redirect.

Owns their HTML. Must not show anything of a request unescaped, and must not load anything. Pure.
"""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit

# The page loads and runs nothing, so nothing that slipped into it could either.
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>{title}</title>
<style>body{{font:1.1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}}
p{{overflow-wrap:anywhere}}</style></head>
<body>{brand}<h1>{title}</h1><p>{text}</p></body></html>
"""

_BRAND = '<p style="letter-spacing:.05em"><strong>{name}</strong></p>'


class Pages:
    """The pages of one installation, under its name."""

    def __init__(self, brand: str = "") -> None:
        """`brand`: whose links these are, shown above each page; "": nothing is shown."""
        self._brand = _BRAND.format(name=escape(brand)) if brand else ""
        self.not_found = self._page(
            "Link not found · 链接不存在",
            "Check that the address is complete. 请检查链接是否完整。",
        )
        self.expired = self._page(
            "Link expired · 链接已过期", "This link is no longer valid. 该链接已失效。"
        )
        self.too_many = self._page(
            "Too many requests · 请求过于频繁", "Please try again in a moment. 请稍后再试。"
        )
        self.unavailable = self._page(
            "Please try again · 请稍后再试",
            "The link cannot be opened just now. 暂时无法打开该链接。",
        )

    def information(self, target: str, path: str) -> str:
        """Where a link leads, for who put a "+" behind it. `path` opens the link."""
        host = escape(urlsplit(target).netloc)
        return self._page(
            "Where this link leads · 链接去向",
            f"<strong>{host}</strong></p><p>{escape(target)}</p>"
            f'<p><a href="{escape(path)}" rel="nofollow">Open it · 打开链接</a>',
        )

    def _page(self, title: str, text: str) -> str:
        return _PAGE.format(brand=self._brand, title=title, text=text)
