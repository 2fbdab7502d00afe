"""Messages of which a part cannot be read: the rest is."""

from typing import Any

import pytest
import telegram

from bots.telegram.updates import Read, read
from core.types import Quoted

Json = dict[str, Any]

ME = telegram.User(7, "Causerie", is_bot=True, username="causerie_bot")
ANN: Json = {"id": 5, "is_bot": False, "first_name": "Ann"}
PRIVATE: Json = {"id": 5, "type": "private", "first_name": "Ann"}
GROUP: Json = {"id": -1001, "type": "supergroup", "title": "Friends"}
ODD: list[Json] = [
    {"sticker": {}},
    {"quote": {"text": "So"}},
    {"quote": {"text": 5, "position": 0}},
    {"via_bot": {"id": 1}},
    {"entities": [{"type": "bold"}]},
    {"reply_to_message": {"message_id": 3}},
    {"voice": {"duration": 1}},
    {"photo": "a", "link_preview_options": 5},
]


def update(kind: str = "message", chat: Json = PRIVATE, **fields: Any) -> Json:
    """Return an update with a message of Ann's."""
    message = {"message_id": 11, "date": 1, "chat": chat, "from": ANN, **fields}
    return {"update_id": 900, kind: message}


@pytest.mark.parametrize("kind", ["message", "edited_message"])
@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_text_is_answered_whatever_stands_beside_it(
    caplog: pytest.LogCaptureFixture, odd: Json, kind: str
) -> None:
    """Left out is only what cannot be read, and the log names the update, not its words."""
    found, plain = (read(update(kind, text="hello", **more), ME) for more in (odd, {}))
    assert isinstance(found, Read)
    assert found.is_edit == (kind == "edited_message")
    assert found == plain
    assert "telegram update 900 can be read only in part" in caplog.text
    assert "hello" not in caplog.text


def test_what_can_be_read_beside_it_is_kept() -> None:
    """A mention in a group, what is replied to, a recording."""
    mention = {"type": "mention", "offset": 0, "length": 13}
    replied = {"message_id": 3, "date": 1, "chat": GROUP, "from": ANN, "text": "So"}
    voice = {"file_id": "V", "file_unique_id": "v", "duration": 1}
    fields: Json = {"reply_to_message": replied, "voice": voice, "sticker": {}}
    text = "@causerie_bot hello"
    found = read(update(chat=GROUP, text=text, entities=[mention], **fields), ME)
    assert isinstance(found, Read)
    assert (found.incoming.text, found.incoming.quoted) == ("hello", Quoted(name="Ann", text="So"))
    assert found.incoming.voice is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"sticker": {}},
        {"text": 5},
        {"text": "hello", "from": {}},
        {"text": "hello", "sender_chat": {}},
        {"text": "hello", "chat": {"id": 5}},
    ],
    ids=str,
)
def test_without_words_or_their_writer_there_is_nothing_to_answer(
    caplog: pytest.LogCaptureFixture, fields: Json
) -> None:
    """Such an update is set aside as a whole."""
    message = update()["message"] | fields
    assert read({"update_id": 900, "message": message}, ME) is None
    assert "telegram update 900 cannot be read and is set aside" in caplog.text
