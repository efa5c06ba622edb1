"""From an answer to a value or an error; the rows are named after the catalogue of bad inputs."""

import gc
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests._calls as calls
from fcasync._facts.redact import printable, redact
from fcasync._rules.interpret import interpret
from fcasync._rules.request import Operation
from fcasync.errors import APIStatusError, FCError, ProtocolError, ServerError
from fcasync.models import Account, Page
from fcasync.models._convert import decoder
from fcasync.testing import answer

LIST: Operation[Page[Account]] = Operation(
    name="list", method="GET", route="/v1/accounts", decode=decoder(Page[Account])
)


def read(body: bytes, operation: Operation[Any] = calls.POST, **rest: Any) -> Any:
    return interpret(calls.request(operation, calls.options()), answer(body, **rest))


BAD_JSON = {
    "json-nest": b"[" * 200_000,
    "json-nest-closed": b"[" * 200_000 + b"]" * 200_000,
    "json-bigint": b'{"created": ' + b"9" * 100_000 + b"}",
    "json-nan": b'{"created": NaN}',
    "json-infinity": b'{"created": -Infinity}',
    "json-1e400": b'{"created": 1e400}',
    "json-minus-1e400": b'{"created": -1e400}',
    "json-1e400-beside-a-surrogate": rb'{"a": "\ud800", "created": 1e400}',
    "json-minus-1e400-beside-a-surrogate": rb'{"a": "\ud800", "created": -1e400}',
    "json-nan-beside-a-surrogate": rb'{"a": "\ud800", "created": NaN}',
    "json-21-digits-beside-a-surrogate": rb'{"a": "\ud800", "created": ' + b"9" * 21 + b"}",
    "json-bom-utf16-1": b"\xef\xbb\xbf{}",
    "json-bom-utf16-2": '{"a": 1}'.encode("utf-16"),
    "json-bytes": b"\xff\xfe\x00",
    "json-empty": b"",
    "json-half": b'{"a": ',
    "html-200": b"<html>Log in</html>",
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON)
def test_what_is_not_json_is_a_protocol_error(body: bytes) -> None:
    """One type for all of it, never a RecursionError, with the start of the body kept."""
    with pytest.raises(ProtocolError, match="not JSON") as caught:
        read(body)
    assert len(caught.value.body) <= 500


def test_the_last_of_duplicate_keys_wins() -> None:
    """json-dup: as everywhere else."""
    assert read(b'{"a": 1, "a": 2}') == {"a": 2}


def test_half_a_surrogate_pair_is_kept() -> None:
    """json-surrogate: JSON allows it, so it is kept; what is shown of it is escaped."""
    assert read(rb'{"a": "\ud800"}') == {"a": "\ud800"}
    body = rb'{"id": "fca_1", "object": "financial_connections.account", "last4": "\ud800"}'
    account = decoder(Account)(read(body))
    assert account.last4 == "\ud800"
    repr(account).encode()


BAD_SHAPES = {
    "list": b"[]",
    "null": b"null",
    "string": b'"x"',
    "no-data": b'{"object": "list"}',
    "data-null": b'{"object": "list", "data": [null]}',
    "created": b'{"object": "list", "data": [{"id": "fca_1", "object": '
    b'"financial_connections.account", "created": "yesterday"}]}',
    "no-id": b'{"object": "list", "data": [{"object": "financial_connections.account"}]}',
    "balance": b'{"object": "list", "data": [{"id": "fca_1", "object": '
    b'"financial_connections.account", "balance": {"current": {"usd": "1"}}}]}',
}
PATHS = {
    "no-data": r"\$\.data",
    "data-null": r"\$\.data\[0\]",
    "created": r"\$\.data\[0\]\.created",
    "no-id": r"\$\.data\[0\]\.id",
    "balance": r"\$\.data\[0\]\.balance\.current\.usd",
}


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_a_wrong_shape_is_a_protocol_error_with_its_path(name: str) -> None:
    """json-shape: the message says where, and the body is kept."""
    with pytest.raises(ProtocolError, match=PATHS.get(name, r"\$")) as caught:
        read(BAD_SHAPES[name], LIST, headers={"Request-Id": "req_1"})
    assert caught.value.body == BAD_SHAPES[name].decode()
    assert (caught.value.status, caught.value.request_id) == (200, "req_1")


BAD_ERRORS = {
    "null": b'{"error": null}',
    "string": b'{"error": "no"}',
    "list": b"[]",
    "html": b"<html>",
    "empty": b"",
    "message-type": b'{"error": {"message": {"a": 1}, "code": 7}}',
}


@pytest.mark.parametrize("body", BAD_ERRORS.values(), ids=BAD_ERRORS)
def test_an_error_without_a_body_is_typed_by_its_status(body: bytes) -> None:
    """error-body: whatever comes with a 500, it is a ServerError."""
    with pytest.raises(ServerError, match="500") as caught:
        read(body, status=500)
    assert caught.value.code is None


def test_a_message_is_cut_and_escaped() -> None:
    """error-body: a megabyte of ANSI escapes becomes one line of at most 500 characters."""
    body = answer({"error": {"message": "\x1b[31mred\r\n" * 100_000}}, status=400).body
    with pytest.raises(APIStatusError) as caught:
        read(body, status=400)
    assert len(caught.value.message) < 2500
    assert caught.value.message.isprintable()
    assert caught.value.message.startswith(r"\x1b[31mred\r\n")


def test_a_key_in_a_message_is_redacted() -> None:
    """Stripe repeats a wrong key in part; a proxy may repeat all of it."""
    body = answer({"error": {"message": f"Invalid API Key: {calls.KEY}"}}, status=401).body
    with pytest.raises(APIStatusError) as caught:
        read(body, status=401)
    assert calls.KEY not in f"{caught.value} {vars(caught.value)}"


def test_a_key_is_redacted_wherever_it_stands() -> None:
    """Right after an escaped newline, or glued to a name: it is a key all the same."""
    for glued in (rf"\n{calls.KEY}", f"key_{calls.KEY}", f"x{calls.KEY}"):
        assert calls.KEY[8:] not in redact(glued)


@pytest.mark.parametrize("status", [200, 500])
def test_a_request_id_is_safe_to_log(status: int) -> None:
    """What a proxy puts there is cut, and escaped where it could not be printed."""
    headers = {"Request-Id": "req_\udce9\x1b[31m" + "a" * 8000}
    with pytest.raises(FCError) as caught:
        read(b"[", status=status, headers=headers)
    assert str(caught.value).encode()
    request_id = vars(caught.value)["request_id"]
    assert request_id.startswith(r"req_\udce9\x1b[31m")
    assert len(request_id) < 600


@pytest.mark.parametrize("status", [101, 304])
def test_what_answers_nothing_is_not_called_a_redirect(status: int) -> None:
    """An upgrade and "not modified" were not asked for."""
    with pytest.raises(ProtocolError, match=f"unexpected status {status}"):
        read(b"", status=status)


@given(status=st.integers(200, 599), body=st.binary(max_size=200))
def test_no_answer_escapes_the_error_tree(status: int, body: bytes) -> None:
    """Whatever comes back: a value, or an FCError."""
    try:
        read(body, LIST, status=status)
    except FCError:
        return


def test_the_collector_rests_while_a_page_is_built() -> None:
    """Off while a large body is decoded, on again after a value or an error, and off if it was."""
    seen: list[bool] = []

    def decode(parsed: object) -> object:
        seen.append(gc.isenabled())
        if parsed == ["bad"] * 5000:
            raise ProtocolError("no")
        return parsed

    operation = attrs.evolve(calls.GET, decode=decode)
    asked = calls.request(operation, calls.options())
    interpret(asked, answer([1]))
    interpret(asked, answer(["good"] * 5000))
    with pytest.raises(ProtocolError):
        interpret(asked, answer(["bad"] * 5000))
    assert (seen, gc.isenabled()) == ([True, False, False], True)
    gc.disable()
    try:
        interpret(asked, answer(["good"] * 5000))
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("before", range(480, 500))
def test_a_number_that_straddles_the_cut_is_redacted(before: int) -> None:
    """The start of an account number is not shown because its end was cut off."""
    shown = printable("x" * (before - 1) + " 000123456789")
    assert "0001" not in shown
    assert len(shown) <= 510


@pytest.mark.parametrize("before", range(970, 1000))
def test_a_number_at_the_end_of_what_is_read_is_redacted(before: int) -> None:
    """Long keys shrink to a few characters, so that the end of what was looked at is shown."""
    key = "sk_live_" + "a" * (before - 9)
    assert printable(f"{key} 000123456789 is closed" + "x" * 2000).count("0001") == 0


@pytest.mark.parametrize("before", range(470, 500))
def test_a_key_that_straddles_the_cut_is_redacted(before: int) -> None:
    """Of a key nothing but its kind is shown, wherever the text is cut."""
    assert "secretPart" not in printable("x" * (before - 1) + " sk_live_secretPartOfIt")


def test_what_follows_a_long_key_is_shown() -> None:
    """A key shrinks to its kind, which leaves room for the sentence about it."""
    key = "sk_live_" + "a" * 600
    assert printable(f"{key} is wrong") == "sk_live_… is wrong"


def test_a_whole_number_has_twenty_digits_at_most() -> None:
    """Also where the slower reader is used, for half a surrogate pair."""
    body = rb'{"a": "\ud800", "created": %s}'
    assert read(body % (b"9" * 20))["created"] == int("9" * 20)
    with pytest.raises(ProtocolError):
        read(body % (b"9" * 21))
