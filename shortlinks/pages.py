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
strong{{overflow-wrap:anywhere}}</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
"""

NOT_FOUND = _PAGE.format(
    title="Link not found · 链接不存在",
    text="Check that the address is complete. 请检查链接是否完整。",
)
EXPIRED = _PAGE.format(
    title="Link expired · 链接已过期",
    text="This link is no longer valid. 该链接已失效。",
)
TOO_MANY = _PAGE.format(
    title="Too many requests · 请求过于频繁",
    text="Please try again in a moment. 请稍后再试。",
)
UNAVAILABLE = _PAGE.format(
    title="Please try again · 请稍后再试",
    text="The link cannot be opened just now. 暂时无法打开该链接。",
)


def information(target: str, path: str) -> str:
    """A page that says where a link leads, for who put a "+" behind it. `path` opens the link."""
    host = escape(urlsplit(target).netloc)
    return _PAGE.format(
        title="Where this link leads · 链接去向",
        text=f'<strong>{host}</strong></p><p><a href="{escape(path)}" rel="nofollow">'
        "Open it · 打开链接</a>",
    )
