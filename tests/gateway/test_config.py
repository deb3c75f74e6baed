"""The configuration: what a file and the environment give, and the one line each mistake gets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import inspect

from dispatch.wire.wire_profile import SubmitFields, WireProfile
from dlr.status import Status
from gateway.config import Config, ConfigError, load_config, redacted
from gateway.config.account_settings import reply_words
from gateway.config.environment import OTHERS, service_links
from gateway.config.policy_settings import CapSettings
from gateway.config.reference import render
from gateway.config.shape import check_shape
from gateway.config.values import Address, BaseUrl, DatabaseUrl, Rate, Size
from gateway.config.wire import receipt_manners, wire_profile
from gateway.wiring.inbound import opt_out_policy, opt_out_scopes
from recipients.keywords import Keyword, heard
from smpp.addresses import AddressSettings
from smpp.encoding import TextSettings

ROOT = Path(__file__).parents[2]
CONNECTOR = '[[connectors]]\nname = "carrier-a"\nhost = "h"\nsystem_id = "u"\n'


def load(tmp_path: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration that this text and environment give."""
    file = tmp_path / "smsgate.toml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, environ or {})


def test_without_a_file_everything_has_a_default() -> None:
    config = load_config(None, {})
    assert config.database.url == "embedded"
    assert (config.http.listen.host, config.http.listen.port) == ("127.0.0.1", 8080)
    assert config.http.max_body == 8 * 1024 * 1024
    assert (config.limits.ready_seconds, config.accept.waiting_max) == (2, 20_000)
    assert [account.name for account in config.accounts] == ["default"]
    assert (config.connectors, config.routes) == ((), ())


def test_the_shipped_example_is_read_and_means_what_it_says() -> None:
    config = load_config(ROOT / "smsgate.example.toml", {})
    assert [connector.name for connector in config.connectors] == ["carrier-a", "carrier-b"]
    rate = config.connectors[0].rate
    assert rate is not None
    assert (rate.spec.numerator, rate.spec.denominator) == (500, 1)
    assert config.accounts[1].signature == "【XX商城】"
    assert len(config.routes) == 3


def test_the_example_repeats_the_defaults_it_shows() -> None:
    example = load_config(ROOT / "smsgate.example.toml", {})
    default = load_config(None, {})
    for section in ("database", "http", "links", "accept", "limits"):
        assert getattr(example, section) == getattr(default, section)


def test_no_route_means_every_connector_in_order(tmp_path: Path) -> None:
    second = CONNECTOR.replace("carrier-a", "carrier-b")
    config = load(tmp_path, CONNECTOR + second)
    assert [route.via for route in config.routes] == [("carrier-a", "carrier-b")]


WRONG = [
    ("[http]\nlisten = 8080", 'http.listen: 8080 is not an address such as "127.0.0.1:8080"'),
    ('[http]\nlisten = "0.0.0.0:70000"', 'http.listen: "0.0.0.0:70000" is not an address'),
    ('[http]\nlisen = "x"', "http.lisen: unknown key; did you mean 'listen'?"),
    ('[htpp]\nlisten = "x"', "htpp: unknown key; did you mean 'http'?"),
    ("http = 1", "http: 1 is not a table"),
    ('[http]\nmax_body = "8 MB"', 'http.max_body: "8 MB" is not a size such as "8 MiB"'),
    ("[http]\nmax_body = -1", "http.max_body: -1 is not a size"),
    ("[http]\nmax_body = true", "http.max_body: true is not a size"),
    ('[http]\nbodies_max = "1 MiB"', "http.bodies_max: 1 MiB is less than one body may be, 8 MiB"),
    ('[http]\nbatch_items_max = "9"', 'http.batch_items_max: "9" is not an integer'),
    ("[limits]\nready_seconds = 0", "limits.ready_seconds: 0 is not between 0.1 and 60"),
    ("[limits]\nready_seconds = nan", "limits.ready_seconds: nan is not between 0.1 and 60"),
    ("[limits]\nready_seconds = true", "limits.ready_seconds: true is not a number"),
    (CONNECTOR + "port = 70000", "connectors[0].port: 70000 is not between 1 and 65535"),
    (CONNECTOR + "port = 1.5", "connectors[0].port: 1.5 is not an integer"),
    (CONNECTOR + "tls = 1", "connectors[0].tls: 1 is not true or false"),
    (CONNECTOR + "tls_ca_file = 'ca.pem'", "connectors[0].tls_ca_file: is of no use without tls"),
    (CONNECTOR + 'bind = "tx"', 'connectors[0].bind: "tx" is not one of "receiver", "transceiver"'),
    (CONNECTOR + 'rate = "fast"', 'connectors[0].rate: "fast" is not a rate'),
    (CONNECTOR + "rate = 500", "connectors[0].rate: 500 is not a rate such as"),
    (CONNECTOR + "password = 12345", "connectors[0].password: is not text in quotes"),
    (CONNECTOR + 'password = "é"', "connectors[0].password: SMPP carries ASCII"),
    (CONNECTOR + 'system_type = "thirteen-char"', "is not text of between 0 and 12 characters"),
    (CONNECTOR + "reconnect_seconds_min = 90", "connectors[0].reconnect_seconds_min: 90.0 is more"),
    (CONNECTOR + 'password_file = "/no/such"', "password_file: cannot read /no/such: No such file"),
    (CONNECTOR + 'alphabets = ["utf8"]', 'connectors[0].alphabets[0]: "utf8" is not one of "gsm7"'),
    (CONNECTOR + 'alphabets = ["ucs2", "gsm7"]', "connectors[0]: ucs2 has every character"),
    (CONNECTOR + "data_codings = { gsm7 = 8 }", "connectors[0]: two alphabets have the same"),
    (CONNECTOR + "data_codings = { ucs2 = 256 }", "ucs2: 256 is not between 0 and 255"),
    (CONNECTOR + 'segmentation = "udh"', 'connectors[0].segmentation: "udh" is not one of'),
    (CONNECTOR + "source_ton_npi = { any = [1] }", "any: 1 entries; between 2 and 2"),
    (CONNECTOR + "source_ton_npi = { alpha = [5, 0] }", "source_ton_npi.alpha: unknown key; known"),
    (CONNECTOR + 'tlvs = [{ tag = "nonsense", text = "x" }]', "connectors[0].tlvs[0]: "),
    (CONNECTOR + 'tlvs = [{ tag = "0x1400" }]', "tlvs[0]: TLV 0x1400 needs one of text, hex and"),
    (CONNECTOR + 'tlvs = [{ tag = "5121", text = "x" }, { tag = "0x1401", hex = "00" }]',
     "connectors[0].tlvs: TLV 0x1401 is given twice"),
    (CONNECTOR + 'user_message_reference = true\ntlvs = [{ tag = "0x0204", hex = "0001" }]',
     "connectors[0].tlvs: user_message_reference is set by its own setting"),
    (CONNECTOR + 'query_after_seconds = 60\nresponse_id_base = "hex"',
     "connectors[0].query_after_seconds: needs ids as the carrier wrote them"),
    (CONNECTOR + 'query_after_seconds = 60\nid_rewrite = { pattern = "a" }',
     "connectors[0].query_after_seconds: needs ids as the carrier wrote them"),
    (CONNECTOR + 'receipt_states = { NOROUTE = "lost" }',
     'connectors[0].receipt_states.NOROUTE: "lost" is not one of "delivered"'),
    (CONNECTOR + 'receipt_states = { "NO ROUTE" = "sent" }',
     'connectors[0].receipt_states, a key: "NO ROUTE" is not a word as receipts write it'),
    (CONNECTOR + 'codes = { 650 = "dead" }',
     'connectors[0].codes.650: "dead" is not one of "carrier_blocked"'),
    (CONNECTOR + 'codes = { 1 = "handset_full", "001" = "unknown" }',
     "connectors[0].codes: 001 means two things: case and zeros make no difference"),
    (CONNECTOR + 'receipt_states = "NOROUTE"', 'receipt_states: "NOROUTE" is not a table'),
    (CONNECTOR + 'receipt_states = { A = "sent", a = "expired" }',
     "connectors[0].receipt_states: a means two things, since case makes no difference"),
    (CONNECTOR + 'id_rewrite = { pattern = "(a+)+" }', "id_rewrite: the pattern may not repeat"),
    (CONNECTOR + 'address_range = "^86é"', "connectors[0].address_range: SMPP carries ASCII"),
    (CONNECTOR + 'service_type = "TOOLONG"', "connectors[0].service_type: "),
    (CONNECTOR + 'service_type = "é"', "connectors[0].service_type: SMPP carries ASCII"),
    (CONNECTOR + "bind_ton_npi = [1]", "connectors[0].bind_ton_npi: "),
    (CONNECTOR + 'interface_version = "34"', "connectors[0].interface_version: "),
    (CONNECTOR + 'validity_period = "no"', "connectors[0].validity_period: "),
    (CONNECTOR + "priority_flag = { otp = 4 }", "connectors[0].priority_flag.otp: 4 is not"),
    (CONNECTOR + 'bind = "receiver"\nquery_after_seconds = 9',
     "connectors[0].query_after_seconds: a receiver asks nothing"),
    (CONNECTOR + 'receiver_host = "h2"',
     "connectors[0].receiver_host: is of no use without bind = 'transmitter+receiver'"),
    (CONNECTOR + 'bind = "receiver"\nreceiver_port = 2776',
     "connectors[0].receiver_port: is of no use without bind = 'transmitter+receiver'"),
    (CONNECTOR + 'bind = "receiver"\n[[routes]]\nvia = ["carrier-a"]',
     "routes[0].via[0]: 'carrier-a' is bound as a receiver, which sends nothing"),
    ('[[connectors]]\nname = "a"', "connectors[0].host: missing"),
    ('[[connectors]]\nname = "A b"', 'connectors[0].name: "A b" is not a name: 1 to 63 of a-z'),
    (CONNECTOR + CONNECTOR, "connectors[1].name: connectors[0] is 'carrier-a' already"),
    (
        CONNECTOR.replace("carrier-a", "sandbox"),
        "connectors[0].name: 'sandbox' is the built-in sandbox, which reaches no carrier; choose",
    ),
    (CONNECTOR + '[[routes]]\nvia = ["sandbox"]', "routes[0].via[0]: no connector 'sandbox'"),
    ('[[accounts]]\nname = "a"\nsandbox = 1', "accounts[0].sandbox: 1 is not true or false"),
    ('[[accounts]]\nname = "a"\ncaps.service = {}', "accounts[0].caps.service: is empty; it takes"),
    ("connectors = {}", "connectors: {} is not a list"),
    ("[[routes]]\nvia = []", "routes[0].via: 0 entries; between 1 and 16 are allowed"),
    (
        CONNECTOR + '[[routes]]\nvia = ["carrier-b"]',
        "routes[0].via[0]: no connector 'carrier-b'; did you mean 'carrier-a'?",
    ),
    (CONNECTOR + '[[routes]]\nvia = ["carrier-a", "carrier-a"]', "'carrier-a' is named twice"),
    (CONNECTOR + "[[routes]]\nvia = [1]", "routes[0].via[0]: 1 is not text in quotes"),
    (
        CONNECTOR + '[[routes]]\nvia = [{ name = "carrier-a", weigth = 1 }]',
        "routes[0].via[0].weigth: unknown key; did you mean 'weight'?",
    ),
    (
        CONNECTOR + '[[routes]]\nvia = ["carrier-a"]\nmatch = { prefix = ["86"] }',
        'routes[0].match.prefix[0]: "86" is not the beginning of a number such as "+86"',
    ),
    (
        CONNECTOR + '[[routes]]\nvia = ["carrier-a"]\nmatch = { account = ["shopp"] }',
        "routes[0].match.account[0]: no account 'shopp'",
    ),
    (
        CONNECTOR
        + CONNECTOR.replace("-a", "-b")
        + '[[routes]]\nvia = ["carrier-a", { name = "carrier-b", weight = 1 }]',
        "routes[0].via: give every connector a weight, or none",
    ),
    ('[[accounts]]\nname = "a"\nsenders = ["商城"]', "accounts[0].senders[0]: a sender is + and"),
    ('[[accounts]]\nname = "a"\nsignature = "\\u0000"', "accounts[0].signature: holds a control"),
    ('[[accounts]]\nname = "a"\nrate = "0"', "accounts[0].rate"),
    ('[links]\nlisten = "127.0.0.1:8080"', "links.listen: 127.0.0.1:8080 is http.listen already"),
    ('[links]\nbase_url = "ftp://x"', 'links.base_url: "ftp://x" is not an address such as'),
    ('[database]\nurl = "mysql://me:hush@h"', "database.url: is not \"embedded\" or postgresql://"),
    ("[http", "smsgate.toml: "),
    ("x = " + "[" * 5000, "smsgate.toml: "),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_mistake_is_one_line_that_says_where_and_what_is_right(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_what_a_carrier_wants_of_the_wire_is_read(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        CONNECTOR
        + """
default_alphabet = "latin1"
alphabets = ["gsm7", "latin1", "ucs2"]
data_codings = { gsm7 = 1, ucs2 = 0x18 }
segmentation = "sar"
smart_replacement = true
source_ton_npi = { alphanumeric = [5, 9], any = [1, 1] }
tlvs = [
    { tag = "0x1400", text = "1234567890", terminated = true },
    { tag = "5121", integer = 7, octets = 2 },
]
""",
    )
    assert wire_profile(config.connectors[0], "") == WireProfile(
        text=TextSettings(
            default_alphabet="latin1",
            alphabets=("gsm7", "latin1", "ucs2"),
            data_codings={"gsm7": 1, "ucs2": 0x18},
            segmentation="sar",
            smart_replacement=True,
        ),
        addresses=AddressSettings(source={"alphanumeric": (5, 9), "any": (1, 1)}),
        tlvs=((0x1400, b"1234567890\0"), (0x1401, b"\0\x07")),
    )


def test_e96_the_words_of_a_carrier_are_read(tmp_path: Path) -> None:
    config = load(
        tmp_path, CONNECTOR + 'receipt_states = { noroute = "undelivered", "2:100" = "expired" }'
    )
    manners = receipt_manners(config.connectors[0], "")
    assert manners.states == {"NOROUTE": Status.UNDELIVERED, "2:100": Status.EXPIRED}
    assert load(tmp_path, CONNECTOR).connectors[0].receipt_states == {}
    by_environment = {"SMSGATE_CONNECTORS__0__RECEIPT_STATES": '{ BLACK = "rejected" }'}
    config = load(tmp_path, CONNECTOR, by_environment)
    assert config.connectors[0].receipt_states == {"BLACK": "rejected"}


def test_e99_every_field_that_carriers_have_wishes_about_is_read(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        CONNECTOR
        + """
service_type = "CMT"
message_mode = "store_and_forward"
protocol_id = 64
priority_flag = { otp = 3, service = 1 }
registered_delivery = 17
validity_period = "absolute"
inbound_gsm7 = "packed"
""",
    )
    assert wire_profile(config.connectors[0], "") == WireProfile(
        text=TextSettings(inbound_packed=True),
        fields=SubmitFields(
            service_type=b"CMT",
            esm_class=3,
            protocol_id=64,
            priority_flags=(3, 0, 1, 0),
            registered_delivery=17,
            validity="absolute",
        ),
    )


def test_e99_a_receiver_is_in_no_route_that_nobody_wrote(tmp_path: Path) -> None:
    receiver = CONNECTOR.replace("carrier-a", "carrier-b") + 'bind = "receiver"\n'
    config = load(tmp_path, receiver + CONNECTOR)
    assert [route.via for route in config.routes] == [("carrier-a",)]
    assert load(tmp_path, receiver).routes == ()


def test_an_empty_table_of_caps_means_the_usual_ones_of_marketing(tmp_path: Path) -> None:
    path = tmp_path / "smsgate.toml"
    path.write_text('[[accounts]]\nname = "shop"\ncaps.marketing = {}\n')
    [account] = load_config(path, {}).accounts
    assert account.caps.marketing == CapSettings(day=1, week=2, month=4)
    path.write_text('[[accounts]]\nname = "shop"\ncaps.marketing = { day = 3 }\n')
    [account] = load_config(path, {}).accounts
    assert account.caps.marketing == CapSettings(day=3)


def test_k3_words_that_contradict_are_refused(tmp_path: Path) -> None:
    account = '[[accounts]]\nname = "a"\n'
    read = load(
        tmp_path,
        account + 'reply_keywords = { "感兴趣" = "interested" }\nrating_max = 10\n'
        'opt_out_categories = { STOPALL = "all" }\n',
    ).accounts[0]
    assert reply_words(read).names == {"感兴趣": "interested"}
    assert reply_words(read).categories == {"stopall": -1}
    for keys, said in (
        ('reply_keywords = { N = "no" }', "'n' is 'no' and opts out"),
        ('help_keywords = ["STOP"]', "'stop' asks for help and opts out"),
        ('opt_out_categories = { START = "all" }', "'start' opts out and in"),
        ('opt_out_categories = { X = "all", x = "otp" }', "'x' is given two meanings"),
    ):
        with pytest.raises(ConfigError) as refused:
            load(tmp_path, account + keys)
        where = "accounts[0].opt_out_keywords or another list of words"
        assert refused.value.faults == (f"{where}: {said}",)
    with pytest.raises(ConfigError, match="is not a name"):
        load(tmp_path, account + 'reply_keywords = { YES = "Not a name" }')


def test_k9_brands_have_words_and_a_scope_of_their_own(tmp_path: Path) -> None:
    account = '[[accounts]]\nname = "a"\nsenders = ["100", "200", "300"]\n'
    brands = (
        '[[accounts.brands]]\nname = "shop"\nsenders = ["100", "200"]\n'
        'opt_out_keywords = ["BASTA"]\nopt_out_category = "all"\n'
    )
    config = load(tmp_path, account + 'opt_out_scope = "brand"\n' + brands)
    policy = opt_out_policy(config.accounts[0])
    shop = policy.of_senders["200"]
    assert (shop.category, policy.category) == (-1, 3)
    assert heard("basta", shop.words.sets).keyword is Keyword.OPT_OUT
    assert heard("basta", policy.words.sets).keyword is None
    scopes = opt_out_scopes(config, {"a": 7})
    assert scopes.of(7, "100") == ["100", "200"]
    assert opt_out_scopes(load(tmp_path, account), {"a": 7}).of(7, "100") is None
    for text, said in (
        ('opt_out_scope = "brand"\n', "accounts[0].opt_out_scope: 'brand' needs brands"),
        (brands + brands.replace("shop", "bank"),
         "accounts[0].brands: '100' is of 'shop' and of 'bank'"),
        (brands.replace('"200"', '"201"'), "accounts[0].brands[0].senders: '201' is not a sender of"
         " this account; did you mean '200'?"),
        (brands.replace("BASTA", "START"), "accounts[0].brands[0].opt_out_keywords or another list"
         " of words: 'start' opts out and in"),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as refused:
            load(tmp_path, account + text)
        assert refused.value.faults == (said,)


def test_a_name_that_may_be_left_out_is_read_and_checked(tmp_path: Path) -> None:
    config = load(tmp_path, f'{CONNECTOR}receipt_group = "one"')
    assert config.connectors[0].receipt_group == "one"
    config = load(tmp_path, CONNECTOR, {"SMSGATE_CONNECTORS__0__RECEIPT_GROUP": "two"})
    assert config.connectors[0].receipt_group == "two"
    with pytest.raises(ConfigError, match=r"receipt_group: .* is not a name: 1 to 63"):
        load(tmp_path, f'{CONNECTOR}receipt_group = "One!"')


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.toml: No such file"):
        load_config(tmp_path / "nothing.toml", {})


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://me:pw@h/d\n")
    config = load(
        tmp_path,
        CONNECTOR + CONNECTOR.replace("-a", "-b") + '[http]\nlisten = "127.0.0.1:1"',
        {
            "SMSGATE_HTTP__LISTEN": "0.0.0.0:9000",
            "SMSGATE_HTTP__MAX_BODY": "1 MiB",
            "SMSGATE_LIMITS__READY_SECONDS": "0.5",
            "SMSGATE_CONNECTORS__0__PORT": "1111",
            "SMSGATE_CONNECTORS__CARRIER_B__PASSWORD": "12345",
            "SMSGATE_DATABASE__URL_FILE": str(tmp_path / "url"),
            "SMSGATE_ACCOUNTS": '[{ name = "shop", senders = ["SHOP"] }]',
            "SMSGATE_SERVICE_HOST": "10.0.0.1",
            "SMSGATE_NUMBER_KEY": "00",
            "OTHER__THING": "1",
        },
    )
    assert config.http.listen == "0.0.0.0:9000"
    assert config.http.max_body == 1 << 20
    assert config.limits.ready_seconds == 0.5
    assert config.connectors[0].port == 1111
    assert config.connectors[1].password == "12345"
    assert config.database.url == "postgresql://me:pw@h/d"
    assert config.accounts[0].senders == ("SHOP",)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SMSGATE_HTTP__LISTN", "x", "unknown key 'listn'; did you mean 'listen'?"),
        ("SMSGATE_HTPP__LISTEN", "x", "unknown key 'htpp'; did you mean 'http'?"),
        ("SMSGATE_CONNECTORS__7__PORT", "1", "connectors has no entry '7'"),
        ("SMSGATE_CONNECTORS__CARIER_A__PORT", "1", "did you mean 'carrier_a'?"),
        ("SMSGATE_CONNECTORS__0", "1", "connectors has no key '0'"),
        ("SMSGATE_CONNECTORS__0__PORT", "many", "not a TOML value"),
        ("SMSGATE_CONNECTORS__0__PORT", "0", "connectors[0].port: 0 is not between 1 and 65535"),
        ("SMSGATE_HTTP__LISTEN__PORT", "1", "listen has no key 'port'"),
        ("SMSGATE_DATABASE__URL_FILE", "/no/such", "cannot read /no/such"),
        ("SMSGATE_HTTP__", "1", "unknown key ''"),
        ("SMSGATE_HTTP_LISTEN", "x", "no setting is called so; did you mean SMSGATE_HTTP__LISTEN?"),
        ("SMSGATE_DATABASE_URL", "x", "did you mean SMSGATE_DATABASE__URL?"),
        ("SMSGATE_KEY", "x", "no setting is called so"),
        ("SMSGATE_PORTS", "1", "no setting is called so"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_variable_is_told(
    tmp_path: Path, variable: str, value: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, CONNECTOR, {variable: value})
    assert message in str(caught.value)


LINKS = {
    "SMSGATE_SERVICE_HOST": "10.0.0.1",
    "SMSGATE_SERVICE_PORT": "8080",
    "SMSGATE_SERVICE_PORT_HTTP": "8080",
    "SMSGATE_PORT": "tcp://10.0.0.1:8080",
    "SMSGATE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
    "SMSGATE_PORT_8080_TCP_PROTO": "tcp",
    "SMSGATE_PORT_8080_TCP_PORT": "8080",
    "SMSGATE_PORT_8080_TCP_ADDR": "10.0.0.1",
    "SMSGATE_PORT_53_UDP": "udp://10.0.0.1:53",
}


def test_o2_what_a_cluster_sets_for_its_services_is_ignored(tmp_path: Path) -> None:
    assert load(tmp_path, CONNECTOR, LINKS) == load(tmp_path, CONNECTOR)
    assert service_links({**LINKS, "SMSGATE_HTTP__LISTEN": "0.0.0.0:1"}) == sorted(LINKS)


@pytest.mark.parametrize("variable", sorted(OTHERS))
def test_o2_what_is_read_elsewhere_is_no_setting(tmp_path: Path, variable: str) -> None:
    assert load(tmp_path, CONNECTOR, {variable: "x"}) == load(tmp_path, CONNECTOR)


ODD = "p@s/s#w%20?&=:ö"


def test_o4_a_database_password_is_written_as_it_is(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{ODD}\n")
    url = '[database]\nurl = "postgresql://me@db:5432/sms?sslmode=require"\n'
    for text in (
        f'{url}password_file = "{secret}"\n',
        f"{url}password = {json.dumps(ODD)}\n",
    ):
        config = load(tmp_path, text)
        parts = urlsplit(config.database.url)
        assert (parts.username, parts.hostname, parts.port) == ("me", "db", 5432)
        assert unquote(parts.password or "") == ODD
        assert (parts.path, parts.query) == ("/sms", "sslmode=require")
        shown = redacted(config)["database"]
        assert isinstance(shown, dict)
        assert shown["url"] == "postgresql://me:***@db:5432/sms?sslmode=require"
        assert ODD not in str(shown)


@pytest.mark.parametrize(
    ("database", "message"),
    [
        ('url = "postgresql://me:x@db/d"\npassword = "y"', "url has a password as well; keep one"),
        ('url = "postgresql://db/d"\npassword = "y"', "url names no user"),
        ('url = "embedded"\npassword = "y"', "url names no user"),
        (
            'url = "postgresql://me@db/d"\npassword = "y"\npassword_file = "/x"',
            "database: password and password_file are both set",
        ),
        ('url = "postgresql://me@db/d"\npassword_file = "/no/such"', "cannot read /no/such"),
    ],
)
def test_o4_a_database_password_in_two_places_is_told(
    tmp_path: Path, database: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, f"[database]\n{database}\n")


def test_a_password_may_come_from_a_file_but_not_from_two_places(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush hush\n")
    text = f'{CONNECTOR}password_file = "{secret}"\n'
    assert load(tmp_path, text).connectors[0].password == "hush hush"
    with pytest.raises(ConfigError, match="password and password_file are both set"):
        load(tmp_path, text + 'password = "x"')


def test_what_is_shown_holds_no_secret(tmp_path: Path) -> None:
    text = (
        CONNECTOR + 'password = "hush"\n[database]\nurl = "postgresql://me:hush@h/d?password=hush"'
    )
    config = load(tmp_path, text)
    shown = redacted(config)
    assert "hush" not in msgspec.json.encode(shown).decode()
    assert shown["database"] == {
        "url": "postgresql://me:***@h/d?password=***", "password": "", "password_file": None,
        "data_dir": "./data", "read_connections": 4,
    }  # fmt: skip
    assert config.connectors[0].password == "hush"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me@h/d", "postgresql://me@h/d"),
        ("postgresql://me:p@ss@h/d", "postgresql://me:***@h/d"),
        ("postgresql://me:a:b@h/d", "postgresql://me:***@h/d"),
        ("postgresql://h/d?PASSWORD=x&a=b", "postgresql://h/d?PASSWORD=***&a=b"),
        ("embedded", "embedded"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert DatabaseUrl.parse(url).redacted == shown


def test_the_reference_page_is_current() -> None:
    """python -m gateway.config.reference > docs/configuration.md"""
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == render()


def test_every_setting_is_documented() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    for row in rows:
        assert row.rstrip(" |").rpartition("|")[2].strip().endswith("."), row


def test_sizes_addresses_and_urls_are_read_back_as_written() -> None:
    for text in ("8 MiB", "512 KiB", "1 GiB", "1000 B"):
        assert str(Size.parse(text)) == text
    assert Size.parse(1024) == 1024
    address = Address.parse("[::1]:8080")
    assert (address.host, address.port) == ("::1", 8080)
    assert BaseUrl.parse("https://s.example/") == "https://s.example"
    assert Rate.parse("10/s,burst=5").spec.burst == 5


MANY = """
[http]
lisen = "127.0.0.1:8080"
max_body = "much"
[limits]
message_parts_max = 99
drain_seconds = -1
[[connectors]]
name = "carrier-a"
system_id = "é"
port = 0
reconnect_seconds_min = 50
reconnect_seconds_max = 5
[[routes]]
via = ["carrier-x", "carrier-a", "carrier-a"]
match = { account = ["shopp"], prefix = ["86"] }
[[accounts]]
name = "shop"
signature = "\\u0000"
senders = ["商城", "ok"]
countries = ["ZZ"]
"""


def test_h6_every_mistake_is_told_with_its_key(tmp_path: Path) -> None:
    """Those of the values, of the variables and between settings, and none twice."""
    environ = {"SMSGATE_HTTP__LISEN": "x", "SMSGATE_LIMITS__READY_SECONDS": "0"}
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, MANY, environ)
    keys = [fault.partition(":")[0] for fault in caught.value.faults]
    assert sorted(keys) == sorted([
        "SMSGATE_HTTP__LISEN", "http.lisen", "http.max_body", "limits.message_parts_max",
        "limits.drain_seconds", "limits.ready_seconds", "connectors[0].host",
        "connectors[0].port", "connectors[0].system_id", "connectors[0].reconnect_seconds_min",
        "routes[0].match.prefix[0]", "routes[0].via[0]", "routes[0].via[2]",
        "routes[0].match.account[0]", "accounts[0].signature", "accounts[0].senders[0]",
        "accounts[0].countries[0]",
    ])  # fmt: skip
    assert str(caught.value) == "; ".join(caught.value.faults)


def test_h6_what_only_follows_from_a_mistake_is_not_told(tmp_path: Path) -> None:
    """A route to a connector whose name cannot be read is no mistake of the route."""
    text = CONNECTOR.replace("carrier-a", "Carrier A") + '[[routes]]\nvia = ["carrier-a"]'
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["connectors[0].name"]


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["name", "host", "via", "match", "prefix", "url", "rate"]) | st.text(),
        inner,
        max_size=4,
    ),
    max_leaves=12,
))  # fmt: skip
@settings(max_examples=80)
def test_no_document_raises_anything_but_one_line(value: object) -> None:
    root = inspect.type_info(Config)
    for section in ("http", "connectors", "routes", "accounts", "database"):
        try:
            check_shape({section: value}, root)
        except ConfigError as error:
            assert str(error).isprintable()
