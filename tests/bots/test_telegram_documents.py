"""Text files in updates."""

import telegram

from bots.telegram.incoming import incoming
from core.types import Document

ME = telegram.User(id=7, first_name="Causerie", is_bot=True, username="causerie_bot")
ANN = {"id": 5, "is_bot": False, "first_name": "Ann"}
PRIVATE = {"id": 5, "type": "private", "first_name": "Ann"}
FILE = {"file_id": "d", "file_unique_id": "d", "file_name": "notes.txt", "file_size": 7}
NOTES = (Document(ref="d", name="notes.txt", size=7),)


def test_a_text_file_is_a_document() -> None:
    """It is fetched and read when the message is answered, and so is one replied to."""
    about = {"message_id": 1, "date": 1, "chat": PRIVATE, "from": ANN}
    sent = {**about, "document": FILE, "caption": "sum it up"}
    found = incoming(telegram.Update.de_json({"update_id": 1, "message": sent}), ME)
    assert found
    assert (found.documents, found.unreadable, found.text) == (NOTES, "", "sum it up")
    replied = {**about, "text": "sum it up", "reply_to_message": {**about, "document": FILE}}
    found = incoming(telegram.Update.de_json({"update_id": 2, "message": replied}), ME)
    assert found
    assert found.quoted
    assert found.quoted.documents == NOTES
