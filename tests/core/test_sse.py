"""Reading events: the same out of every cutting and spelling of a stream."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sse import EventReader


def read(pieces: list[bytes]) -> list[bytes]:
    """Return the events of a stream that comes in these pieces."""
    reader = EventReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    return events + reader.end()


def cut(raw: bytes, places: list[int]) -> list[bytes]:
    """Cut a stream at places."""
    ends = sorted({place % (len(raw) + 1) for place in places})
    return [raw[start:end] for start, end in itertools.pairwise([0, *ends, len(raw)])]


PAYLOADS = st.lists(
    st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1), max_size=6
)


@given(
    payloads=PAYLOADS,
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    blank=st.sampled_from([" ", ""]),
    has_mark=st.booleans(),
    places=st.lists(st.integers(0, 10_000), max_size=8),
)
def test_any_cutting_and_spelling(
    payloads: list[str], end: str, blank: str, places: list[int], *, has_mark: bool
) -> None:
    """Line ends, comments, foreign fields and cuts in the middle of letters change nothing."""
    lines = [
        f": comment{end}id: 7{end}event: message{end}data:{blank or ' '}{payload}{end}{end}"
        for payload in payloads
    ]
    raw = ("\ufeff" * has_mark + "".join(lines)).encode()
    assert read(cut(raw, places)) == [payload.encode() for payload in payloads]


@pytest.mark.parametrize(
    ("raw", "events"),
    [
        (b"data:tight\n\n", [b"tight"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", []),
        (b"\n\n\n", []),
        (b"data: unended", [b"unended"]),
        (b"data: unended\n", [b"unended"]),
        (b"data: one\n\ndata: two\n\n", [b"one", b"two"]),
        (b"data: one\r\n\r\ndata: two\r\n\r\n", [b"one", b"two"]),
        (b'error: {"code": 500}\n\n', [b'{"error": {"code": 500}}']),
        (b"<html>\n<body>\n", []),
    ],
)
def test_examples(raw: bytes, events: list[bytes]) -> None:
    """Events are what the standard says, an unended last one included."""
    assert read([raw]) == events
    assert read([raw[at : at + 1] for at in range(len(raw))]) == events


def test_a_long_line_in_small_pieces() -> None:
    """A line of megabytes is put together once, at its end."""
    reader = EventReader()
    for _ in range(10_000):
        assert reader.feed(b"x" * 1_000) == []
    assert reader.feed(b"\n\n") == []
    assert reader.feed(b"data: next\n\n") == [b"next"]
