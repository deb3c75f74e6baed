"""The settings of an account: what one sending application may do, and what is added to its texts.

Owns the section `[[accounts]]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from gateway.config.base import CategoryLabel, CategoryOrAll, Country, Name, Settings
from gateway.config.policy_settings import AccountCapSettings, OtpVelocitySettings
from gateway.config.values import BaseUrl, Rate, TimeZone
from recipients.keywords import OPT_IN_WORDS, OPT_OUT_WORDS
from recipients.replies import HELP_WORDS, RATING_HOURS, RATING_LIMIT, RATING_MAX, ReplyWords
from shortlinks.conversions import WINDOW_HOURS
from storage.categories import Category
from storage.suppression import EVERY_CATEGORY

_SENDER_CHARS_MAX = 21

# A signature or suffix longer than this would leave hardly any room in a one-part UCS-2 message of
# 70 characters.
_AFFIX_CHARS_MAX = 64
_REPLY_CHARS_MAX = 300
_PAGE_NAME_CHARS_MAX = 40
_WORDS_MAX = 1000

_Word = Annotated[
    str,
    Meta(min_length=1, max_length=100, extra={"expected": "a word of at most 100 characters"}),
]
_ReplyText = Annotated[str, Meta(max_length=_REPLY_CHARS_MAX)]


CallbackHost = Annotated[
    str,
    Meta(
        pattern=r"\A(?:\*\.)?[a-z0-9_](?:[a-z0-9_:.-]{0,251}[a-z0-9])?\Z",
        extra={"expected": 'a host such as "app.example" or "*.app.example", in small letters'},
    ),
]


_TextDays = Annotated[int, Meta(ge=0, le=3_650)]


class SenderRateSettings(Settings, frozen=True, kw_only=True):
    """How fast one sender of an account may send."""

    sender: Annotated[str, Meta(min_length=1, max_length=_SENDER_CHARS_MAX, description="It.")]
    rate: Annotated[Rate, Meta(description="Its pace, in parts.")]


class BrandSettings(Settings, frozen=True, kw_only=True):
    """Senders of an account that are one to people. What is unset is the account's."""

    name: Annotated[Name, Meta(description="The brand's name.")]
    senders: Annotated[
        tuple[str, ...], Meta(min_length=1, description="Its senders; each is of one brand.")
    ]
    opt_out_keywords: Annotated[
        tuple[str, ...] | None, Meta(description="As the account's, for these senders.")
    ] = None
    opt_in_keywords: Annotated[
        tuple[str, ...] | None, Meta(description="As the account's, for these senders.")
    ] = None
    opt_out_category: Annotated[
        CategoryOrAll | None, Meta(description="As the account's, for these senders.")
    ] = None
    opt_out_reply: Annotated[
        _ReplyText | None, Meta(description="As the account's, for these senders.")
    ] = None
    help_reply: Annotated[
        _ReplyText | None, Meta(description="As the account's, for these senders.")
    ] = None


class AccountSettings(Settings, frozen=True, kw_only=True):
    """One sending application. None: one account `default`."""

    name: Annotated[Name, Meta(description="The account's name, as in `keys create --account`.")]
    default_category: Annotated[
        CategoryLabel, Meta(description="Used when a message names none.")
    ] = "transactional"
    senders: Annotated[
        tuple[str, ...],
        Meta(description="Senders it may use, the first by default; empty: any."),
    ] = ()
    signature: Annotated[
        str,
        Meta(
            max_length=_AFFIX_CHARS_MAX,
            description="Put first in every text that does not begin with it; counted in parts.",
        ),
    ] = ""
    opt_out_suffix: Annotated[
        str,
        Meta(
            max_length=_AFFIX_CHARS_MAX,
            description="Appended to marketing texts that lack it; counted in parts. "
            "`{{optout}}` in it becomes the link to the recipient's own opt-out page.",
        ),
    ] = ""
    opt_out_keywords: Annotated[
        tuple[str, ...],
        Meta(
            description="Replies made of these alone opt out; case, width, accents, signs, thanks "
            "and `reply` before them do not matter."
        ),
    ] = OPT_OUT_WORDS
    opt_in_keywords: Annotated[
        tuple[str, ...], Meta(description="Replies that undo an opt-out by such a reply.")
    ] = OPT_IN_WORDS
    opt_out_category: Annotated[
        CategoryOrAll,
        Meta(description="What a person who opts out is not texted any more."),
    ] = "marketing"
    opt_out_categories: Annotated[
        dict[_Word, CategoryOrAll],
        Meta(
            max_length=_WORDS_MAX,
            description='Words that opt out of another category: `{ STOPALL = "all" }`.',
        ),
    ] = field(default_factory=dict)
    opt_out_reply: Annotated[
        str,
        Meta(
            max_length=_REPLY_CHARS_MAX,
            description="Sent once to who opts out, in spite of it; empty: nothing.",
        ),
    ] = ""
    opt_out_scope: Annotated[
        Literal["account", "brand", "sender"],
        Meta(
            description="Whose messages an opt-out ends: all of the account's, those of the brand "
            "that was texted, or of that sender."
        ),
    ] = "account"
    opt_out_page_name: Annotated[
        str,
        Meta(
            max_length=_PAGE_NAME_CHARS_MAX,
            description="Who texts, as the opt-out page says it; empty: the signature without its "
            "brackets, or the sender.",
        ),
    ] = ""
    opt_out_page_language: Annotated[
        Literal["en", "zh"],
        Meta(description="Of its opt-out page, for browsers that ask for neither of these."),
    ] = "en"
    opt_out_page_frequency: Annotated[
        bool,
        Meta(
            description="Whether the page asks how many marketing messages a month are welcome at "
            "most, and on which days. The answer is a cap, and costs what caps cost."
        ),
    ] = False
    brands: Annotated[
        tuple[BrandSettings, ...],
        Meta(max_length=_WORDS_MAX, description="Senders that are one to people."),
    ] = ()
    complaint_ends: Annotated[
        Literal["otp", "transactional", "service", "marketing", "all", "nothing"],
        Meta(description="What a person who complained is not texted any more."),
    ] = "marketing"
    conversion_window_hours: Annotated[
        int,
        Meta(ge=1, le=2160, description="A click counts for what happens in so many hours."),
    ] = WINDOW_HOURS
    conversion_attribution: Annotated[
        Literal["last_click", "first_click"],
        Meta(description="Which click of a person on a message counts for a conversion."),
    ] = "last_click"
    currency: Annotated[
        Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")] | None,
        Meta(description="ISO 4217, of the values of its conversions; unset: any."),
    ] = None
    help_keywords: Annotated[
        tuple[str, ...], Meta(description="Replies that ask for help, read as those that opt out.")
    ] = HELP_WORDS
    help_reply: Annotated[
        str,
        Meta(
            max_length=_REPLY_CHARS_MAX,
            description="Sent to who asks for help, once in ten minutes; empty: nothing.",
        ),
    ] = ""
    reply_keywords: Annotated[
        dict[_Word, Name],
        Meta(
            max_length=_WORDS_MAX,
            description="Replies that the account listens for, and what it calls them: "
            '`{ YES = "interested", "感兴趣" = "interested" }`.',
        ),
    ] = field(default_factory=dict)
    rating_max: Annotated[
        int,
        Meta(
            ge=0,
            le=RATING_LIMIT,
            description=f"A number from 1 to this that answers a message of the last "
            f"{RATING_HOURS} hours is a rating; 0: none is.",
        ),
    ] = RATING_MAX
    rate: Annotated[
        Rate | None,
        Meta(description="Pace of this account, in parts, in each process; 0: stopped."),
    ] = None
    requests_rate: Annotated[
        Rate | None,
        Meta(
            description="Requests to send, in this process; above it: 429. Such as "
            '`"100/s,burst=200"`; unset: no limit.'
        ),
    ] = None
    sender_rates: Annotated[
        tuple[SenderRateSettings, ...],
        Meta(
            max_length=1000,
            description='Paces of single senders, `{ sender = "SHOP", rate = "10/s" }` each.',
        ),
    ] = ()
    shorten_urls: Annotated[
        bool,
        Meta(description="Whether URLs in texts become short links unless a message says."),
    ] = True
    link_domains: Annotated[
        tuple[BaseUrl, ...],
        Meta(
            max_length=100,
            description="What links made through `/v1/links` may begin with, the first by default; "
            "all lead to `links.listen`. Empty: `links.base_url`.",
        ),
    ] = ()
    link_hosts: Annotated[
        tuple[CallbackHost, ...],
        Meta(
            max_length=1000,
            description="Hosts that these links may lead to; `*.shop.example` is every name below "
            "it. Empty: any that `links.allow_hosts` has.",
        ),
    ] = ()
    sandbox: Annotated[
        bool,
        Meta(
            description="Its messages go to the built-in sandbox, never to a carrier, whatever the "
            "routes say; their outcomes are those of `smsgate simulate --profile smooth`."
        ),
    ] = False
    time_zone: Annotated[
        TimeZone | None,
        Meta(description="Of recipients whose number does not tell; unset: `quiet_hours`'."),
    ] = None
    countries: Annotated[
        tuple[Country, ...],
        Meta(description="ISO 3166 codes of the countries it may text; empty: all."),
    ] = ()
    refuse_landlines: Annotated[
        bool,
        Meta(description="Refuse numbers of landlines and services, where their digits tell."),
    ] = False
    require_consent: Annotated[
        tuple[CategoryLabel, ...],
        Meta(description="Categories that go only to numbers that `/v1/consents` knows."),
    ] = ()
    engagement_caps: Annotated[
        bool,
        Meta(
            description="Whether contacts get as much marketing as they respond to: 2 a week, 1 a "
            "week, 2 a month, or none. It holds beside `caps`, and costs what they cost."
        ),
    ] = False
    four_eyes: Annotated[
        bool,
        Meta(description="A campaign is started by another key than the one that wrote it."),
    ] = False
    global_holdout: Annotated[
        float,
        Meta(
            ge=0,
            le=0.5,
            description="The share of people who get no marketing campaign, to compare with; other "
            "people in each quarter of a year.",
        ),
    ] = 0.0
    check_links: Annotated[
        bool,
        Meta(
            description="Links of a campaign's templates have to answer 200 over TLS before it "
            "starts and while it runs. False where the gateway has no way out to them."
        ),
    ] = True
    text_days: Annotated[
        _TextDays | None,
        Meta(
            description="Days after which texts of messages are emptied once those are final; 0: "
            "as soon as they are. Unset: kept as long as the message. A message may say otherwise.",
        ),
    ] = None
    inbound_text_days: Annotated[
        _TextDays | None,
        Meta(
            description="Days after which texts of messages from handsets are emptied; 0: as soon "
            "as webhooks have them. Unset: kept as long as the message.",
        ),
    ] = None
    callback_hosts: Annotated[
        tuple[CallbackHost, ...],
        Meta(
            max_length=100,
            description="Hosts to which a message may have its changes told (`callback`). "
            "`*.shop.example` is every name below it. Empty: none.",
        ),
    ] = ()
    caps: Annotated[AccountCapSettings, Meta(description="How many messages one number gets.")] = (
        AccountCapSettings()
    )
    otp_velocity: Annotated[
        OtpVelocitySettings | None,
        Meta(description="Limits on one-time passwords; unset: none, `{}`: the defaults below."),
    ] = None


def category_number(label: CategoryOrAll) -> int:
    """As table `suppression` has it."""
    return EVERY_CATEGORY if label == "all" else int(Category.of(label))


def reply_words(settings: AccountSettings) -> ReplyWords:
    """What the account listens for. Raises ValueError, one line, for words that contradict."""
    return ReplyWords.of(
        settings.opt_out_keywords,
        settings.opt_in_keywords,
        help_words=settings.help_keywords,
        names=settings.reply_keywords,
        rating_max=settings.rating_max,
        categories={
            word: category_number(label) for word, label in settings.opt_out_categories.items()
        },
    )


def of_brand(account: AccountSettings, brand: BrandSettings) -> AccountSettings:
    """What holds for the senders of a brand."""
    said = {
        name: value
        for name in BrandSettings.__struct_fields__
        if name not in ("name", "senders") and (value := getattr(brand, name)) is not None
    }
    return msgspec.structs.replace(account, **said)
