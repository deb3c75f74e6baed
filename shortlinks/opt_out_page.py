"""The opt-out page: one button to stop, one to undo, and a form to choose.

Owns its HTML. It loads nothing, runs nothing, and works without a script, by keyboard and on 320
pixels. Must not show anything unescaped, and must not decide what a press does. Pure.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Final

from shortlinks.opt_out_words import WORDS, Words
from shortlinks.opt_outs import EVERY, MONTH_CHOICES, OFFERED, Language, Standing

STOP, STOP_ALL, UNDO, CHOOSE = "stop", "stop_all", "undo", "choose"  # the field `action`
WANTED = "wanted"  # a field for each category that is wanted: its label
MONTH = "month_max"
DAY = "day"  # a field for each day that is wished, as DAYS has them
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_STYLE = """:root{color-scheme:light dark}
body{font:1.125rem/1.6 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.5rem;line-height:1.3;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin-top:2.5rem}
button,select{font:inherit;min-height:3rem;max-width:100%;border-radius:.5rem}
button{padding:.5rem 1.25rem;border:2px solid currentColor;overflow-wrap:anywhere}
.main{width:100%;background:#a4161a;color:#fff;border-color:#a4161a;font-weight:600}
:focus-visible{outline:3px solid #1d6fd8;outline-offset:3px}
fieldset{border:0;padding:0;margin:0 0 1rem}
label{display:flex;gap:.75rem;align-items:flex-start;padding:.6rem 0}
label>span{min-width:0;overflow-wrap:anywhere}
input{width:1.5rem;height:1.5rem;margin:.1rem 0 0;flex:none}
[role=status]{border-left:.3rem solid #2a7d46;padding:.25rem 1rem;overflow-wrap:anywhere}"""

# Nothing is loaded but the style above, and a form goes nowhere but here.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; "
    f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_PAGE = """<!doctype html>
<html lang="{tag}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex"><title>{title}</title>
<style>{style}</style></head>
<body><main><h1>{title}</h1>
{status}
{main}
<h2 id="choose">{choose}</h2>
<form method="post" action="?lang={language}">
<fieldset aria-labelledby="choose"><p>{codes_stay}</p>
{boxes}
</fieldset>
{month}<button name="action" value="{choose_action}">{save}</button>
</form>
{all}<p><a href="?lang={other}" hreflang="{other}" lang="{other}">{other_language}</a></p>
</main></body></html>
"""


def page(standing: Standing, language: Language, said: str | None = None) -> str:
    """The page as it stands. `said`: what has just been done; else it says how it stands."""
    words = WORDS[language]
    other: Language = "en" if language == "zh" else "zh"
    state = words.out if standing.out else words.open
    return _PAGE.format(
        tag=words.tag,
        language=language,
        style=_STYLE,
        title=_filled(words.title, words, standing),
        status=f'<p role="status">{_filled(said or state, words, standing)}</p>',
        main=_main(standing, words, language),
        choose=escape(words.choose),
        codes_stay=escape(words.codes_stay),
        boxes="\n".join(_box(standing, words, category) for category in OFFERED),
        month=_month(standing, words) + _days(standing, words) if standing.asks_month else "",
        choose_action=CHOOSE,
        save=escape(words.save),
        all="" if standing.usual == EVERY else _button(STOP_ALL, words.stop_all, language),
        other=other,
        other_language=escape(words.other_language),
    )


def _filled(template: str, words: Words, standing: Standing) -> str:
    kind = words.categories[standing.usual]
    return escape(template.format(name=standing.name, kind=kind))


def _main(standing: Standing, words: Words, language: Language) -> str:
    """The one thing that most people come for: to stop; or to take back that they did."""
    if not standing.out:
        kind = words.categories[standing.usual]
        return _button(STOP, words.stop.format(kind=kind), language, "main")
    if standing.ended <= standing.fixed:
        return f"<p>{escape(words.kept_elsewhere)}</p>"
    return _button(UNDO, words.undo, language)


def _button(action: str, label: str, language: Language, style: str = "") -> str:
    named = f' class="{style}"' if style else ""
    return (
        f'<form method="post" action="?lang={language}">'
        f'<p><button name="action" value="{action}"{named}>{escape(label)}</button></p></form>'
    )


def _box(standing: Standing, words: Words, category: int) -> str:
    label = next(each.label for each in OFFERED if each == category)
    fixed = category in standing.fixed
    checked = "" if category in standing.ended else " checked"
    text = escape(words.categories[category])
    if fixed:
        text += f" ({escape(words.kept_elsewhere)})"
    return (
        f'<label><input type="checkbox" name="{WANTED}" value="{label}"{checked}'
        f"{' disabled' if fixed else ''}><span>{text}</span></label>"
    )


def _month(standing: Standing, words: Words) -> str:
    choices = "".join(
        f'<option value="{value}"{" selected" if value == (standing.month_max or 0) else ""}>'
        f"{escape(words.any_number) if value == 0 else value}</option>"
        for value in (0, *MONTH_CHOICES)
    )
    return (
        f'<p><label for="month">{escape(words.month)}</label>'
        f'<select id="month" name="{MONTH}">{choices}</select></p>\n'
    )


def _days(standing: Standing, words: Words) -> str:
    """No day that is ticked is any day, and so are all of them."""
    boxes = "\n".join(
        f'<label><input type="checkbox" name="{DAY}" value="{day}"'
        f"{' checked' if (standing.days or 0) >> place & 1 else ''}>"
        f"<span>{escape(words.weekdays[place])}</span></label>"
        for place, day in enumerate(DAYS)
    )
    return (
        f'<fieldset aria-labelledby="days"><p id="days">{escape(words.days)}</p>\n'
        f"{boxes}\n</fieldset>\n"
    )
