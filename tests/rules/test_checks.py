"""What is refused before any I/O; the rows are named after the catalogue of bad inputs."""

import contextlib
import ssl
import string
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from fcasync._facts.redact import Secret
from fcasync._rules import checks, urls
from fcasync.errors import InvalidArgumentError

TEST_KEY = Secret("sk_test_4eC39HqLyjWDarjtT1zdp7dc")
LIVE_KEY = Secret("sk_live_4eC39HqLyjWDarjtT1zdp7dc")


class Sly(str):
    """A string that says something else when asked."""

    __slots__ = ()

    def __str__(self) -> str:
        return "../charges"


def named(rows: dict[str, list[Any]]) -> list[Any]:
    """Return the values as parameters, each with the name of its row."""
    return [pytest.param(value, id=name) for name, values in rows.items() for value in values]


BAD_IDS: dict[str, list[Any]] = {
    "id-empty": [""],
    "id-dotdot": [".."],
    "id-dot": ["."],
    "id-traverse": ["../../v1/charges"],
    "id-pct-dot": ["%2e%2e"],
    "id-slash": ["fca_1/disconnect"],
    "id-query": ["fca_1?expand[]=x"],
    "id-fragment": ["fca_1#x"],
    "id-crlf": ["\r\nX: 1", "fca_1\n", "fca_1\r"],
    "id-nul": ["a%00b", "a\0b"],
    "id-backslash": ["a\\b"],
    "id-unicode": ["fca_é", "ｆca_1", "fca_\u202e1", "fca_١"],  # noqa: RUF001 - on purpose
    "id-long": ["a" * 256, "a" * 10_000],
    "id-type": [b"fca_1", 1, None, Sly("fca_1"), SimpleNamespace(id=7), ["fca_1"]],
}


@pytest.mark.parametrize(
    "bad",
    [pytest.param(v, id=f"{name}-{n}") for name, vs in BAD_IDS.items() for n, v in enumerate(vs)],
)
def test_a_bad_id_is_refused(bad: Any) -> None:
    """An id is 1 to 255 ASCII letters, digits, underscores and dashes, or a model that has one."""
    with pytest.raises(InvalidArgumentError, match="account must be an id"):
        checks.object_id(bad, "account")


@given(st.text())
def test_what_passes_as_an_id_changes_nothing_in_a_path(text: str) -> None:
    """Whatever text is given: it is refused, or it is one plain path segment."""
    try:
        passed = checks.object_id(text, "account")
    except InvalidArgumentError:
        return
    assert passed == text
    assert set(passed) <= set(string.ascii_letters + string.digits + "_-")


@pytest.mark.parametrize("good", ["fca_1", "fa_123", "tr_123", "cus_1", "a" * 255])
def test_other_prefixes_are_the_servers_to_judge(good: str) -> None:
    """id-wrong-prefix: official test data use prefixes of their own, so any is sent."""
    assert checks.object_id(good, "account") == good
    assert checks.object_id(SimpleNamespace(id=good), "account") == good


BAD_KEYS: dict[str, list[Any]] = {
    "key-crlf": ["k\r\nX-Evil: 1", "k\n"],
    "key-nul-tab": ["k\0", "k\t", " k", "k ", "k k"],
    "key-long": ["k" * 256, "k" * 300],
    "key-empty": [""],
    "key-unicode": ["ké"],
    "key-type": [1, b"k"],
}


@pytest.mark.parametrize(
    "bad",
    [pytest.param(v, id=f"{name}-{n}") for name, vs in BAD_KEYS.items() for n, v in enumerate(vs)],
)
def test_a_bad_idempotency_key_is_refused(bad: Any) -> None:
    """A key is 1 to 255 printable ASCII characters without blanks, sent exactly as given."""
    with pytest.raises(InvalidArgumentError, match="idempotency_key must be"):
        checks.idempotency_key(bad)


BAD_API_KEYS = {
    "api-key-crlf": ("sk_live_x\r\nX: 1", "whitespace in api key"),
    "api-key-newline": ("sk_live_abcdefgh1234\n", "whitespace in api key"),
    "api-key-pk": ("pk_test_abcdefgh1234", "publishable key"),
    "api-key-empty": ("", "no API key"),
    "api-key-none": (None, "no API key"),
    "api-key-placeholder": ("sk_test_...", "placeholder"),
    "api-key-word": ("YOUR_API_KEY", "placeholder"),
    "api-key-unicode": ("sk_test_é", "placeholder"),
}


@pytest.mark.parametrize(("bad", "sentence"), BAD_API_KEYS.values(), ids=BAD_API_KEYS)
def test_a_bad_api_key_is_refused_without_an_echo(bad: Any, sentence: str) -> None:
    """The constructor says what is wrong, and never repeats the key."""
    with pytest.raises(InvalidArgumentError, match=sentence) as caught:
        checks.api_key(bad)
    assert not bad or "abcdefgh" not in str(caught.value)


@pytest.mark.parametrize("good", ["sk_test_1", "rk_live_a1", "sk_live_x", "sk_org_live_x1"])
def test_secret_and_restricted_keys_are_taken(good: str) -> None:
    """sk_ and rk_, test and live, an organisation's too."""
    assert checks.api_key(good).reveal() == good


BAD_URLS = {
    "base-userinfo": "http://api.stripe.com@evil.test/",
    "base-userinfo-https": "https://user:pass@api.stripe.com",
    "base-scheme-file": "file:///etc/passwd",
    "base-scheme-unix": "unix:///run/x.sock",
    "base-scheme-ftp": "ftp://api.stripe.com",
    "base-scheme-none": "api.stripe.com",
    "base-path-query": "https://api.stripe.com/?a=b",
    "base-path-fragment": "https://api.stripe.com/#a",
    "base-path-dots": "https://api.stripe.com/a/../b",
    "base-path-escape": "https://api.stripe.com/%2e%2e",
    "base-homograph": "https://аpi.stripe.com",  # noqa: RUF001 - on purpose
    "base-metadata": "http://169.254.169.254/",
    "base-http-elsewhere": "http://api.stripe.com",
    "base-http-no-loopback": "http://127.999.999.999",
    "base-http-loopback-in-other-digits": "http://127.0.0.١",  # noqa: RUF001 - on purpose
    "base-http-lookalike": "http://127.0.0.1.evil.test",
    "base-port": "https://api.stripe.com:99999",
    "base-crlf": "https://api.stripe.com/\r\nX: 1",
    "base-blank": " https://api.stripe.com",
    "base-label-empty": "https://a..b",
    "base-label-long": f"https://{'a' * 64}.com",
    "base-dot": "https://.",
    "base-empty": "",
    "base-type": 7,
}


@pytest.mark.parametrize("bad", BAD_URLS.values(), ids=BAD_URLS)
def test_a_bad_base_url_is_refused(bad: Any) -> None:
    """HTTPS anywhere, HTTP on this machine, and nothing that could lead elsewhere."""
    with pytest.raises(InvalidArgumentError, match="base_url"):
        urls.base_url(bad, TEST_KEY)


def test_a_live_key_is_never_sent_in_clear() -> None:
    """base-http-live: not even to this machine."""
    with pytest.raises(InvalidArgumentError, match="live key in clear"):
        urls.base_url("http://127.0.0.1:8080", LIVE_KEY)


@pytest.mark.parametrize(
    ("good", "kept"),
    [
        ("https://api.stripe.com", "https://api.stripe.com"),
        ("https://proxy.example.com/stripe/", "https://proxy.example.com/stripe"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://127.255.1.20:1", "http://127.255.1.20:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_a_good_base_url_loses_its_last_slash(good: str, kept: str) -> None:
    """Everything else about it stays as it was given."""
    assert urls.base_url(good, TEST_KEY) == kept


@pytest.mark.parametrize("bad", ["acct_1\r\nX: 1", "", " acct_1", "acct_1\n", "é", 5, "a\0"])
def test_control_characters_in_a_header_are_refused(bad: Any) -> None:
    """account-header-crlf: stripe_account, stripe_context and stripe_version alike."""
    with pytest.raises(InvalidArgumentError, match="stripe_account must be printable"):
        checks.header_value(bad, "stripe_account")


@pytest.mark.parametrize(
    "bad",
    [
        {"Authorization": "x"},
        {"idempotency-key": "x"},
        {"Host": "x"},
        {"Accept-Encoding": "br"},
        {"Expect": "100-continue"},
        {"Proxy-Authorization": "Basic x"},
        {"X y": "x"},
        {"X": "a\r\nb"},
        {"": "x"},
        {"X": 5},
        *({name: "x"} for name in ("Stripe-Account", "stripe-context", "STRIPE-VERSION")),
        *({name: "x"} for name in ("Transfer-Encoding", "Content-Length", "content-type")),
        *({name: "x"} for name in ("Cookie", "Connection", "keep-alive", "TE", "Trailer")),
        *({name: "x"} for name in ("Upgrade", "Content-Encoding")),
        5,
        "ab",
        [("X", "1")],
    ],
)
def test_extra_headers_cannot_override_or_inject(bad: Any) -> None:
    """Fcasync's own headers are its own, and a header stays one header."""
    with pytest.raises(InvalidArgumentError, match="extra_headers"):
        checks.extra_headers(bad)


@pytest.mark.parametrize("value", ["tokenOfMine\n", " tokenOfMine", "tokenOfMine\r\nX: 1"])
def test_a_header_that_is_refused_is_not_echoed(value: str) -> None:
    """It may be a token that was read from a file with a newline."""
    with pytest.raises(InvalidArgumentError, match="newline") as caught:
        checks.extra_headers({"X-Token": value})
    assert "tokenOfMine" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pass@api.stripe.com/", "'https://…@api.stripe.com/' must not hold user"),
        ("https://u:1/p/a@ss@h.test", "'https://…@h.test'"),
        ("user:pass@h.test", "'…@h.test'"),
        ("https://h.test/?token=abc", "'https://h.test/…'"),
        ("https://h.test/#abc", "'https://h.test/…'"),
        ("https://user:pass", "base_url has an invalid host or port"),
    ],
)
def test_a_base_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    """Where it leads is shown; passwords and tokens in it are not."""
    with pytest.raises(InvalidArgumentError) as caught:
        urls.base_url(url, TEST_KEY)
    assert shown in str(caught.value)
    assert not any(secret in str(caught.value) for secret in ("pass", "p/a", "token", "abc"))


def test_what_was_checked_is_what_is_sent() -> None:
    """A kind of string that says something else when asked is sent as its characters."""
    assert str(checks.header_value(Sly("acct_1"), "stripe_account")) == "acct_1"
    assert str(checks.extra_headers({"X": Sly("a")})["X"]) == "a"
    assert str(checks.api_key(Sly("sk_test_1")).reveal()) == "sk_test_1"


def test_two_spellings_of_a_header_are_one() -> None:
    """Names are compared without regard to case, so the last one given counts."""
    assert checks.extra_headers({"x-one": "1", "X-ONE": "2"}) == {"X-One": "2"}


def test_there_is_no_switch_for_certificate_checks() -> None:
    """tls-off: only an SSLContext, TLS 1.2 or later, and never CERT_NONE with a live key."""
    with pytest.raises(InvalidArgumentError, match=r"must be an ssl\.SSLContext"):
        checks.tls_context(False, TEST_KEY)
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.minimum_version = ssl.TLSVersion.TLSv1_2
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    assert checks.tls_context(blind, TEST_KEY) is blind
    with pytest.raises(InvalidArgumentError, match="without certificate checks"):
        checks.tls_context(blind, LIVE_KEY)
    old = ssl.create_default_context()
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            old.minimum_version = version
        with pytest.raises(InvalidArgumentError, match="TLSv1_2"):
            checks.tls_context(old, TEST_KEY)


def left_to_openssl(level: int) -> ssl.SSLContext:
    """Return a context as the Pythons of distributions make them, at a security level."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers(f"DEFAULT@SECLEVEL={level}")
    return context


def test_a_distributions_tls_context_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its minimum is OpenSSL's policy, which is TLS 1.2 from OpenSSL 3 and level 1 on."""
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_INFO", (3, 0, 0, 0, 0))
    for level in (1, 2):
        context = left_to_openssl(level)
        assert checks.tls_context(context, LIVE_KEY) is context
    with pytest.raises(InvalidArgumentError, match="TLSv1_2"):
        checks.tls_context(left_to_openssl(0), TEST_KEY)
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_INFO", (1, 1, 1, 23, 15))
    with pytest.raises(InvalidArgumentError, match="TLSv1_2"):
        checks.tls_context(left_to_openssl(2), TEST_KEY)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> str | None:
    """Return the version that the two agree on, over buffers in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(down, up, server_hostname="a.test"),
        server.wrap_bio(up, down, server_side=True),
    ]
    for _ in range(5):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return ends[0].version()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="needs OpenSSL 3")
def test_openssl_rules_old_tls_out() -> None:
    """The rule above is OpenSSL's: a server of TLS 1.1 is refused at level 1, not at level 0."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("a.test").configure_cert(server)
    server.set_ciphers("DEFAULT@SECLEVEL=0")
    server.minimum_version = server.maximum_version = ssl.TLSVersion.TLSv1_1
    level_0, level_1 = left_to_openssl(0), left_to_openssl(1)
    for client in (level_0, level_1):
        authority.configure_trust(client)
    assert handshake(level_0, server) == "TLSv1.1"
    with pytest.raises(ssl.SSLError):
        handshake(level_1, server)


@pytest.mark.parametrize(
    "bad",
    ["ftp://x", "x", "http://", 5, "http://a\nb", "http://a..b", "http://h:x"],
)
def test_a_bad_proxy_is_refused_without_an_echo(bad: Any) -> None:
    """A proxy's URL may hold a password, so it is never repeated."""
    with pytest.raises(InvalidArgumentError, match="proxy must be a URL"):
        urls.proxy(bad)


@pytest.mark.parametrize("bad", [0, -1, 10**400, float("nan"), float("inf"), True, "5", None])
def test_seconds_are_finite_and_positive(bad: Any) -> None:
    """A timeout of nothing, of NaN or for ever is a mistake."""
    with pytest.raises(InvalidArgumentError, match="timeout must be"):
        checks.seconds(bad, "timeout")


@pytest.mark.parametrize("bad", [5, "ownership", b"ownership", object()])
def test_what_to_expand_is_a_list(bad: Any) -> None:
    """A bare string would be sent letter by letter, and a number cannot be sent at all."""
    with pytest.raises(InvalidArgumentError, match="expand must be a list"):
        checks.expand(bad)
    checks.expand(None)
    checks.expand(["ownership"])


@pytest.mark.parametrize("bad", [[], "balance", None, [""], [1], {}])
def test_features_are_a_list_of_words(bad: Any) -> None:
    """A bare string would be sent letter by letter; an empty list asks for nothing."""
    with pytest.raises(InvalidArgumentError, match="features must"):
        checks.features(bad)


@pytest.mark.parametrize("bad", [0, 101, -1, 1.5, True, "10"])
def test_a_page_has_1_to_100_items(bad: Any) -> None:
    """Stripe's own bounds."""
    with pytest.raises(InvalidArgumentError, match="limit must be"):
        checks.page_size(bad)


def test_a_secret_shows_its_kind_and_its_end_only() -> None:
    """repr-leak: enough to distinguish two keys, not enough to use one."""
    assert f"{LIVE_KEY} {LIVE_KEY!r}" == "sk_live_…p7dc sk_live_…p7dc"
