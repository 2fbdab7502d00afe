"""How JSON from Telegram is read, whatever stands in it."""

import json
from typing import Any

import pytest
import telegram
from hypothesis import given
from hypothesis import strategies as st

from bots.telegram.payload import parse
from bots.telegram.updates import Read, read

ME = telegram.User(7, "Causerie", is_bot=True, username="causerie_bot")
ANN: dict[str, Any] = {"id": 5, "is_bot": False, "first_name": "Ann"}
CHAT: dict[str, Any] = {"id": 5, "type": "private", "first_name": "Ann"}
MESSAGE: dict[str, Any] = {"message_id": 1, "date": 1, "chat": CHAT, "from": ANN, "text": "Hello"}

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_what_telegram_may_say_is_read_as_it_is(value: Any) -> None:
    """In either way of writing what is not ASCII."""
    for is_ascii in (True, False):
        written = json.dumps(value, ensure_ascii=is_ascii).encode(errors="replace")
        assert parse(written) == json.loads(written)


@given(values)
def test_what_is_nested_too_deep_is_left_out(value: Any) -> None:
    """All that stands beside it is read, brackets and quotes in texts included."""
    beside = json.dumps(value).encode()
    for deep in (b"[" * 5000 + b"]" * 5000, b'{"]":' * 5000 + b"1" + b"}" * 5000):
        first, deepest, last = parse(b"[%b,%b,%b]" % (beside, deep, beside))
        assert first == last == value
        for _ in range(98):
            [deepest] = deepest if isinstance(deepest, list) else deepest.values()
        assert deepest is None


@pytest.mark.parametrize("payload", [b"", b"x", b"\xff", b"[" * 5000, b"[" * 5000 + b'"' * 5001])
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    """Half a structure is none, however deep."""
    with pytest.raises(ValueError, match="line 1"):
        parse(payload)


def test_odd_bytes_and_numbers_cost_only_themselves() -> None:
    """Replaced, or left out; numbers of Telegram are exact."""
    payload = b'["a\xffb", %b, 9007199254740991, -1]' % (b"9" * 5000)
    assert parse(payload) == ["a\ufffdb", None, 2**53 - 1, -1]


@pytest.mark.parametrize(
    ("place", "field"), [("message", "message_id"), ("chat", "id"), ("update", "update_id")]
)
@pytest.mark.parametrize("value", [None, "1", 1.5])
def test_a_message_without_its_ids_is_set_aside(place: str, field: str, value: object) -> None:
    """Nobody could be answered."""
    odd = {field: value}
    message = {**MESSAGE, "chat": {**CHAT, **(odd if place == "chat" else {})}}
    message |= odd if place == "message" else {}
    update = {"update_id": 1, "message": message, **(odd if place == "update" else {})}
    assert read({"update_id": 1, "message": MESSAGE}, ME) is not None
    assert read(update, ME) is None


def test_a_message_that_quotes_without_end_is_survived() -> None:
    """The SDK reads what is replied to step by step, down to where Python ends."""
    message = MESSAGE
    for _ in range(1000):
        message = {**MESSAGE, "reply_to_message": message}
    found = read({"update_id": 1, "message": message}, ME)
    assert isinstance(found, Read)
    assert (found.incoming.text, found.incoming.quoted) == ("Hello", None)
