"""Text files: which are, what the model reads of them, and what people are told of others."""

import pytest

from core import documents
from core.errors import FetchError
from core.protocols import Store
from core.types import Document, Quoted
from tests.core.house import House
from tests.core.stand_ins import CHAT


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


@pytest.mark.parametrize(
    ("mime", "name", "expected"),
    [
        ("text/plain; charset=utf-8", "message.txt", True),
        ("application/json", "a", True),
        ("application/x-yaml", "a", True),
        ("", "main.PY", True),
        ("application/octet-stream", "notes.md", True),
        ("application/octet-stream", "Dockerfile", True),
        ("application/octet-stream", "web.Dockerfile", True),
        ("application/octet-stream", "Makefile", True),
        ("application/octet-stream", "r", False),
        ("text/rtf", "a.txt", False),
        ("application/pdf", "a.pdf", False),
        ("", "", False),
        ("image/png", "a.png", False),
    ],
)
def test_which_files_are_text(mime: str, name: str, expected: bool) -> None:  # noqa: FBT001
    """The media type says so, or the name does."""
    assert documents.is_text(mime, name) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_is_read(encoding: str) -> None:
    """The text stands between fences that it cannot close, below the file's name."""
    text = "Grüße\n```python\n1\n```"
    read = documents.read(text.encode(encoding), "a.md")
    assert read == f"The file a.md:\n\n````\n{text}\n````"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Größe;Stück\nKäse;1 €".encode("cp1252"), "Größe;Stück\nKäse;1 €"),
        ("Äpfel, Öl und Übermut".encode() + b"\xc3", "Äpfel, Öl und Übermut\ufffd"),
        (b"\r\n    if a:\r\n        b\r\n\r\n", "    if a:\r\n        b"),
    ],
)
def test_odd_texts_are_read(data: bytes, text: str) -> None:
    """What Excel saves in Western Europe, what was cut off, and what begins with blanks."""
    assert documents.read(data, "a.csv") == f"The file a.csv:\n\n```\n{text}\n```"


def test_a_name_is_shown_as_it_is() -> None:
    """A name that looks like Markdown keeps its letters where people read it."""
    with pytest.raises(FetchError) as error:
        documents.read(b"", "__init__.py")
    assert str(error.value).startswith(r"I cannot read the file \_\_init\_\_.py:")
    assert documents.too_large("__init__.py").startswith(r"The file \_\_init\_\_.py is too large")
    assert documents.read(b"1", "__init__.py").startswith("The file __init__.py:")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n",
        b"\xff\xfe\xfd",
        b"\x89PNG\0",
        b"a\0b",
        "Здравствуй, мир".encode("cp1251"),
        "こんにちは".encode("shift_jis"),
        b"%PDF-1.7 \x01 \xe2",
        b"a\x81",
        b"a" * 99 + b"\x9d",
    ],
)
def test_what_cannot_be_read(data: bytes) -> None:
    """What is no text is told, by the file's name."""
    with pytest.raises(FetchError, match=r"I cannot read the file a\.txt"):
        documents.read(data, "a.txt")
    with pytest.raises(FetchError, match="too large: I read at most 256 KB"):
        documents.read(bytes(documents.LARGEST_BYTES + 1), "a.txt")


async def test_a_text_file_is_part_of_the_question(store: Store) -> None:
    """So is that of the message replied to."""
    house = House(store=store)
    async with house.running():
        await house.ask(
            "Which is longer?",
            documents=(Document(ref="one", name="1.txt", size=3),),
            quoted=Quoted(name="Bob", text="mine", documents=(Document(ref="two", name="2.txt"),)),
        )
    assert house.model.prompts[-1][-1].content == (
        "The file 1.txt:\n\n```\none\n```\nThe file 2.txt:\n\n```\ntwo\n```\n> Bob: mine\n\n"
        "Which is longer?"
    )


async def test_a_file_that_cannot_be_read_keeps_nothing_else_from_it(store: Store) -> None:
    """What is wrong stands above the answer; with nothing else it is the answer."""
    house = House(store=store)
    large = Document(ref="large", name="a \n.txt", size=1 << 30)
    async with house.running():
        text = await house.ask("hi", documents=(large,))
        assert text.startswith("⚠️ The file a .txt is too large")
        assert text.endswith("You said: hi")
        house.bot.fetch_failures.append(FetchError("It is gone."))
        assert (
            await house.ask(documents=(Document(ref="x", name="x"),), chat=CHAT) == "It is gone."
        )
    assert len(house.model.prompts) == 1
