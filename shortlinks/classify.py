"""Who fetched a short link: a person, or a machine on somebody's behalf.

Owns the click classes stored in `click.class`, and the rules that choose one. Must not drop
anything: machines are counted apart. Pure, so stored clicks can be judged again under newer rules.

Signals, strongest first: what the user agent says it is; a prefetch header; a method that no tap
produces. Then a moment at which nobody had the message, and headers that no browser sends. A
further machine signal never makes a machine's click a person's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

import msgspec

RULES = 2  # their version: raised with each change of a verdict, and stored with it


class ClickClass(IntEnum):
    """What a click counts as. Only HUMAN enters a click rate."""

    HUMAN = 1
    PREVIEW = 2  # a messaging app draws the link's card
    PREFETCH = 3  # a browser loads it in advance
    SCANNER = 4  # security gateway, crawler, script
    UNKNOWN = 5  # does not look like a browser, and does not say what it is
    MONITOR = 6  # asks now and then whether a site is up

    @property
    def label(self) -> str:
        """The name used in the API and in metrics: `human`, `preview`, …"""
        return self.name.lower()


class RequestFacts(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The request headers that tell something. One that was not sent is empty."""

    accept: str = ""
    accept_language: str = ""
    sec_purpose: str = ""
    purpose: str = ""
    x_moz: str = ""


def classify(method: str, facts: RequestFacts, user_agent: str) -> tuple[ClickClass, list[str]]:
    """The class of one fetch and every reason for it, strongest first. A person has none."""
    return judge(method, facts, classify_user_agent(user_agent))


def judge(
    method: str,
    facts: RequestFacts | None,
    agent: tuple[ClickClass, str],
    circumstances: Sequence[tuple[ClickClass, str]] = (),
) -> tuple[ClickClass, list[str]]:
    """As classify(), for a user agent already classified. They repeat, so a caller can remember
    them.

    `facts` None: they were not kept. `circumstances`: verdicts that the request itself cannot give
    (judging.py).
    """
    verdicts: list[tuple[ClickClass, str]] = []
    if agent[0] is not ClickClass.HUMAN:
        verdicts.append(agent)
    if facts is not None:
        verdicts += _of_purpose(facts)
    if method != "GET":
        # X, WhatsApp and link checkers send HEAD; a tap on a link never does.
        verdicts.append((ClickClass.SCANNER, "method_head"))
    verdicts += circumstances
    if facts is not None and not facts.accept_language and facts.accept in _ACCEPT_NOT_A_BROWSER:
        verdicts.append((ClickClass.UNKNOWN, "headers_not_a_browser"))
    if not verdicts:
        return ClickClass.HUMAN, []
    # A machine that names itself is more precise than the shape of its headers, whichever rule
    # found it.
    named = (click_class for click_class, _ in verdicts if click_class is not ClickClass.UNKNOWN)
    return next(named, ClickClass.UNKNOWN), [reason for _, reason in verdicts]


def _of_purpose(facts: RequestFacts) -> list[tuple[ClickClass, str]]:
    purposes = f"{facts.sec_purpose} {facts.purpose} {facts.x_moz}"
    if purposes != "  " and _PREFETCH.search(purposes):
        return [(ClickClass.PREFETCH, "prefetch_header")]
    return []


def classify_user_agent(user_agent: str) -> tuple[ClickClass, str]:
    """The class that a User-Agent speaks for, and the reason ("" for a browser).

    A program is named where product names stand. What a platform or an app tells of the telephone
    may hold words that name programs elsewhere: "ruby" and "Cubot" are telephones.
    """
    agent = user_agent.strip()
    if not agent:
        return ClickClass.SCANNER, "ua_empty"
    if agent in _BARE_AGENTS:
        return ClickClass.SCANNER, "ua_bare"
    names = _DETAILS.sub(_named_in_details, agent)
    for click_class, reason, pattern in _RULES:
        if pattern.search(names):
            return click_class, reason
    for reason, pattern in _NO_BROWSER:
        if pattern.search(agent):
            return ClickClass.SCANNER, reason
    if not _BROWSER.match(agent):
        return ClickClass.UNKNOWN, "ua_not_a_browser"
    return ClickClass.HUMAN, ""


_PREFETCH = re.compile("prefetch|prerender|preview", re.IGNORECASE)
_ACCEPT_NOT_A_BROWSER = frozenset(("", "*/*"))
_BARE_AGENTS = frozenset(("Mozilla/5.0", "Mozilla/4.0", "Mozilla", "-"))
# In-app browsers may send the app's part alone. Telephones without Android or iOS have their own
# forms.
_BROWSER = re.compile(
    r"Mozilla/5\.0 ?\(|Opera/9\.80 \(|UCWEB/|Dalvik/.*MicroMessenger|\[FB(?:AN|_IAB)/"
    r"|(?:Instagram|Barcelona) [\d.]+ (?:Android )?\("
    r"|(?!Mozilla|Dalvik).*(?:Profile/MIDP|UP\.Browser/)"
)

# What tells of the telephone and not of the program. It is the platform's comment, and what an
# in-app browser adds about the device in round or square brackets. A desktop's comment names no
# model.
_DETAILS = re.compile(
    r"\((?![^()]*\bcompatible\b)(?=Linux|[^()]*(?:Android|iPhone|iPad|iPod|iOS|Tizen|KAIOS|HarmonyOS"
    r"|OpenHarmony|BlackBerry|BB10|Symbian|Series[46]0|Windows Phone|\d+dpi))"
    r"(?:[^()]|\([^()]*\))*\)|\[(?:FB|Pinterest/)[^\[\]]*\]|\b(?:NAVER|DaumApps)\([^()]*\)"
)
_PRODUCT = re.compile(r"(?<![\w/])(?!Build/)[A-Za-z][\w.-]*/\d[^\s;()]*")


def _named_in_details(found: re.Match[str]) -> str:
    """What has a product's form, name/version, among the details too, where machines pose."""
    return " " + " ".join(_PRODUCT.findall(found[0])) + " "


# What no person's browser says, wherever it stands.
_NO_BROWSER: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "ua_address",  # whom to ask about the machine: a page, a site or a mailbox
        re.compile(
            r"https?://|\bwww\.|mailto:|\[at\]|[\w.+-]@[a-z0-9-]+\.[a-z]{2,}"
            r"|(?<![\w.@/-])[a-z][\w-]*\.(?:com|net|org|io|co|ai|app|dev|info|ru|pl|fr|de|eu)(?![\w.-])",
            re.IGNORECASE,
        ),
    ),
    (
        # Browsers stopped saying so with Internet Explorer, which names itself.
        "ua_compatible",
        re.compile(r"[(;]\s*compatible\b(?!\s*;\s*MSIE \d+\.\d+\s*[;)])", re.IGNORECASE),
    ),
    (
        # "(KHTML, like Gecko)" is a formula; old Safaris add themselves.
        "ua_engine_note",
        re.compile(r"\(KHTML, like Gecko[;,](?! *Safari\b)[^)]+\)", re.IGNORECASE),
    ),
)


def _words(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


# In order: the first that matches names the class. The previews come before the generic words,
# because many of them call themselves a bot too.
_RULES: tuple[tuple[ClickClass, str, re.Pattern[str]], ...] = (
    (
        ClickClass.PREVIEW,
        "ua_preview",
        _words(
            r"GoogleMessages",  # the SMS app's own fetcher, documented in January 2026
            r"Google-PageRenderer",  # … and the older one
            # iMessage has no name of its own: it signs as Facebook's and X's fetchers, from the
            # phone's address.
            r"facebookexternalhit|facebookcatalog|meta-externalfetcher|Facebot",
            r"Twitterbot",
            r"^WhatsApp/",
            r"Slackbot|Slack-ImgProxy",
            r"TelegramBot",
            r"Discordbot",
            r"LinkedInBot",
            r"SkypeUriPreview",
            r"Google Web Preview|SnapURLPreview|OpenGraph\.io",
            r"BingPreview",
            r"line-poker",
            r"kakaotalk-scrap",
            r"^Viber/",
            r"vkShare",
            r"Iframely|Embedly",
            r"Pinterest(?:bot)?/0",
            r"redditbot",
            r"Mastodon/|Bluesky Cardyb",
            r"Snap URL Preview",
            r"^ZaloPC|Zalo url",
            r"SamsungMessages|com\.samsung\.android\.messaging|LinkPreview|link[ -]preview",
        ),
    ),
    (
        ClickClass.SCANNER,
        "ua_security",
        _words(
            r"Barracuda",
            r"Proofpoint|Mimecast|Symantec|FireEye|Trellix|Sophos|Zscaler|Forcepoint|Cloudmark",
            r"urlscan|VirusTotal|PhishTank|Netcraft|SafeBrowsing|Google-Safety|CheckMarkNetwork",
            r"MSOffice|ms-office|Microsoft Office|Microsoft-Defender|Microsoft URL Control",
            r"Trend ?Micro|WatchGuard|Cisco-|Fortinet|FortiGuard|Palo Alto|Expanse|Kaspersky",
            r"Censys|zgrab|masscan|nmap|nuclei|sqlmap|Nikto|CensysInspect|InternetMeasurement",
            r"scan(?:ner)?(?![a-z])|acunetix|Sucuri|Qualys|Nessus|watchTowr|SecurityHeaders",
        ),
    ),
    (
        ClickClass.MONITOR,
        "ua_monitor",
        _words(
            r"UptimeRobot|Pingdom|StatusCake|Site24x7|Datadog|NewRelic|GTmetrix|Lighthouse",
            r"\bPTST/|monitor(?:ing)?(?![a-z])|uptime|ThousandEyes|AppInsights|SiteAudit",
        ),
    ),
    (
        ClickClass.SCANNER,
        "ua_automation",
        _words(r"HeadlessChrome|PhantomJS|Selenium|Playwright|Puppeteer|Electron/|SlimerJS"),
    ),
    (
        ClickClass.SCANNER,
        "ua_library",
        _words(
            r"python-requests|python-urllib|python-httpx|aiohttp/|\bhttpx/|Python/\d",
            r"\bcurl/|\bWget/|libwww-perl|lwp-|HTTPie|PostmanRuntime|insomnia/",
            r"Go-http-client|\bJava/|Apache-HttpClient|Jakarta|Apache-HttpAsyncClient|Jersey/",
            r"axios/|node-fetch|undici|^node$|\bgot(?:/| \()|superagent|\bRuby\b|Faraday|\bPHP/",
            r"GuzzleHttp|Scrapy|WinHttp|reqwest/|ureq/|Deno/|Bun/|HttpClient/|Typhoeus|colly",
        ),
    ),
    (
        ClickClass.SCANNER,
        "ua_crawler",
        # "Cubot" makes telephones: its owners are people.
        _words(
            r"(?<!cu)bot(?:[^a-z]|$)|crawl|spider|slurp|scraper|archiver|Mediapartners|favicon",
            r"APIs-Google|Google-Read-Aloud|GoogleImageProxy|GoogleOther|Google-Extended",
            r"Google-[A-Z]|-Google\b|Agent(?![a-z])|Inspector|robots/|scraping|harvest|Validator|Checker",
            r"Google-InspectionTool|bingbot|YandexImages|Bytespider|ia_archiver|\bfetch(?:er)?/",
        ),
    ),
    # The HTTP stacks of telephone apps. A tap opens a browser; these are cards drawn by an app.
    (
        ClickClass.PREVIEW,
        "ua_app_http_stack",
        _words(r"^Dalvik/(?!.*MicroMessenger)", r"^okhttp/", r"CFNetwork/.*Darwin/", r"^Ktor"),
    ),
)
