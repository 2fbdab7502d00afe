"""The scanner that watches every log of this suite: it does find what no log may hold."""

import json
import logging
from collections.abc import Iterator

import pytest

from tests import leaks

SAID = "My cat is called Mia\nand my dog is called Rex, who is as old as she is; both are mine."
log = logging.getLogger("core.somewhere")


@pytest.fixture(autouse=True)
def _forgets() -> Iterator[None]:
    yield
    leaks.begin()


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (logging.DEBUG, SAID),
        (logging.INFO, f"taken in: {SAID[:20]}"),
        (logging.WARNING, json.dumps({"text": SAID})),
        (logging.ERROR, f"{SAID[:60]}…"),
    ],
)
def test_words_are_found(level: int, text: str) -> None:
    """Whole, in part, in one line or in several."""
    leaks.note(SAID)
    log.log(level, "said: %s", text)
    assert leaks.leaks()


def test_words_are_found_in_tracebacks() -> None:
    """An error may quote what it could not read."""
    leaks.note(SAID)
    try:
        int(SAID)
    except ValueError:
        log.exception("work failed")
    assert leaks.leaks()


def test_tokens_and_codes_are_found() -> None:
    """In what platforms tell us, and in what we tell people."""
    event = {"d": [{"token": "t" * 40, "data": {"options": [{"value": "a choice of mine"}]}}]}
    leaks.note_event(event)
    leaks.note_codes("Give my owner this code: `K7QWXZ`")
    for text in ("t" * 40, "a choice of mine", "K7QWXZ"):
        leaks.written(f"so {text} it is")
    assert len(leaks.leaks()) >= 3


def test_what_is_said_of_ids_and_commands_is_no_leak() -> None:
    """Nor what SDKs would say if anybody listened."""
    leaks.note_event({"text": "/translate"})
    leaks.note("telegram:4711", "it")
    log.info("turn kind=command /translate person=telegram:4711 it")
    leaks.note(SAID)
    logging.getLogger("httpx2").info(SAID)
    assert leaks.leaks() == []
