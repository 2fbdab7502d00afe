"""Counting, shortening and calibrating."""

import asyncio
import gzip
import math
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import tokens
from core.errors import CauserieError
from core.tokens import Calibration
from core.types import Message, Usage

# Runs that tiktoken never breaks, or only rarely, in several scripts.
RUNS = (
    "a",
    "ab",
    "-",
    "=/",
    " ",
    "\n",
    " \n",
    "7",
    "漢",
    "世界和平",
    "กขค",
    "ابت",
    "😀",
    "\u200d",
)
WORDS = (
    "the ",
    "don't ",
    "naïve, ",
    "x = 1\n",
    "  ",
    "\n\n",
    "请提醒我,",
    "好。",
    "😀 ",
    "12345.6 ",
    "!/",
)

runs = st.builds(
    lambda run, length: (run * length)[:length],
    st.sampled_from(RUNS),
    st.integers(1, 20_000),
)
prose = st.lists(st.sampled_from(WORDS), max_size=4_000).map("".join)
texts = st.one_of(
    st.text(max_size=300), prose, st.lists(runs, min_size=1, max_size=3).map("".join)
)


def exact(text: str) -> int:
    """Count without any cut; right, but slow on long runs."""
    return len(tokens.vocabulary().encode_ordinary(text))


def report(predicted: int, reported: int, *, is_estimated: bool = False) -> Usage:
    """Build what a provider reports for a prompt predicted to have `predicted` tokens."""
    return Usage(
        purpose="chat",
        model="m",
        input=reported,
        predicted=predicted,
        is_estimated=is_estimated,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("hello world", 2),
        ("You are a helpful assistant.", 6),
        ("<|endoftext|>", 7),
        ("\ud83d", 1),
        ("\ud83d\ude00", 1),
        ("😀", 1),
    ],
)
def test_counts_as_the_vocabulary_does(text: str, expected: int) -> None:
    """Special tokens are text, and a lone surrogate is a replacement character."""
    assert tokens.count(text) == expected


@given(texts)
def test_never_counts_too_few(text: str) -> None:
    """Every cut through a run costs at most six tokens too many, and none too few."""
    cuts = len(text) // 6_144
    assert exact(text) <= tokens.count(text) <= exact(text) + 6 * cuts


@given(prose)
def test_is_exact_on_prose(text: str) -> None:
    """A text with blanks, line breaks or marks is cut only where the vocabulary starts anew."""
    assert tokens.count(text) == exact(text)


@pytest.mark.parametrize("run", ["a", "漢", "😀", " ", " \n", "a ", "\ud83d"])
def test_counts_a_megabyte(run: str) -> None:
    """A million characters without a blank, or of blanks, are counted; none are too many."""
    text = (run * 1_000_000)[:1_000_000]
    piece = tokens.count(text[:6_144])
    assert tokens.count(text) == pytest.approx(piece * 1_000_000 / 6_144, rel=0.1)


async def test_counts_long_texts_beside_the_loop() -> None:
    """A long text and a short one have the same count whether or not a thread did it."""
    for text in ("hello world", "hello world " * 10_000):
        assert await tokens.counted(text) == tokens.count(text)


async def test_loads_once_for_many_threads() -> None:
    """Threads that count at the same moment share one vocabulary."""
    ready = threading.Barrier(4)

    def load() -> int:
        ready.wait(10)
        return id(tokens.vocabulary())

    assert len(set(await asyncio.gather(*(asyncio.to_thread(load) for _ in range(4))))) == 1


@pytest.mark.parametrize("content", [b"", b"not gzip", gzip.compress(b"YQ== 0\n")])
def test_refuses_a_damaged_vocabulary(tmp_path: Path, content: bytes) -> None:
    """A vocabulary that differs in one byte is not used."""
    path = tmp_path / "ranks.gz"
    path.write_bytes(content)
    with pytest.raises(CauserieError, match=r"^ranks\.gz is damaged; please install"):
        tokens.read_vocabulary(path)
    with pytest.raises(CauserieError):
        tokens.read_vocabulary(tmp_path / "missing.gz")


def test_counts_a_prompt_as_the_provider_does() -> None:
    """The API reference's example reports 19 prompt tokens for these two messages."""
    prompt = (
        Message(role="system", content="You are a helpful assistant."),
        Message(role="user", content="Hello!"),
    )
    assert tokens.prompt_tokens(prompt) == 19


def test_counts_a_name_and_trusts_what_was_counted() -> None:
    """A name costs its tokens and one more; a message counted before is not counted again."""
    bare = Message(role="user", content="Hello!")
    named = Message(role="user", content="Hello!", name="Ada")
    stored = Message(role="user", content="Hello!", tokens=100)
    assert tokens.message_tokens(bare) == 6
    assert tokens.message_tokens(named) == 6 + 1 + tokens.count("Ada")
    assert tokens.message_tokens(stored) == 100


def test_a_role_is_one_token() -> None:
    """Every role of the history is a single token of the vocabulary."""
    assert [tokens.count(role) for role in ("system", "user", "assistant")] == [1, 1, 1]


@given(texts, st.integers(-1, 3_000))
def test_shortened_text_fits(text: str, limit: int) -> None:
    """Whatever the text and the limit, the result keeps the limit and whole characters."""
    short = tokens.shorten(text, limit)
    assert tokens.count(short) <= max(0, limit)
    assert "\ufffd" not in short or "\ufffd" in text
    head, _, tail = short.partition("\n[… ")
    assert text.startswith(head)
    assert text.endswith(tail.partition(" tokens left out …]\n")[2])


def test_shortening_keeps_both_ends_and_says_what_is_missing() -> None:
    """The note between head and tail names the tokens left out, and the room is used."""
    text = " ".join(f"word{i}" for i in range(5_000))
    short = tokens.shorten(text, 1_000)
    head, _, rest = short.partition("\n[… ")
    number, _, tail = rest.partition(" tokens left out …]\n")
    assert head.startswith("word0 word1 ")
    assert tail.endswith(" word4998 word4999")
    kept = tokens.count(head) + tokens.count(tail)
    assert int(number.replace(",", "")) == tokens.count(text) - kept
    assert "," in number
    assert 990 <= tokens.count(short) <= 1_000


def test_what_fits_stays_as_it_is() -> None:
    """A text of exactly as many tokens as allowed is not touched."""
    assert tokens.shorten("hello world", 2) == "hello world"


def test_without_room_for_the_note_the_head_stays() -> None:
    """A limit smaller than the note leaves the beginning of the text."""
    assert tokens.shorten("one two three four five", 3) == "one two three"
    assert tokens.shorten("one two three", 0) == ""


def test_never_splits_a_character() -> None:
    """A character of several tokens is kept whole or dropped."""
    text = "𒀀" * 50
    assert tokens.count("𒀀") > 1
    assert set(tokens.shorten(text, tokens.count("𒀀") * 2 + 1)) == {"𒀀"}
    assert tokens.shorten(text, 1) == ""


@pytest.mark.parametrize("limit", range(1_540, 1_580))
def test_cuts_through_runs_count_against_the_limit(limit: int) -> None:
    """An unbroken run is shortened to the limit although its parts are cut elsewhere anew."""
    assert tokens.count(tokens.shorten("a" * 20_000, limit)) <= limit


@pytest.mark.parametrize("limit", range(8))
def test_a_dropped_part_of_a_character_may_cost_a_token_more(limit: int) -> None:
    """Where the whole characters of a token need two tokens, they are not squeezed into one."""
    assert tokens.count(tokens.shorten(" गर्व" * 20, limit)) <= limit


def test_calibration_starts_where_it_is_told() -> None:
    """An exact model starts at one, an unknown one on the safe side."""
    assert Calibration(Calibration.EXACT).fit(1_000) == 1_000
    assert Calibration().factor == Calibration.UNKNOWN
    assert Calibration(2.0).fit(1_001) == 500


def test_calibration_rises_at_once() -> None:
    """A first report above the initial factor counts immediately."""
    calibration = Calibration(1.0)
    calibration.learn(report(1_000, 1_400))
    assert calibration.factor == 1.4


def test_calibration_falls_slowly() -> None:
    """Lower reports count once the initial factor has been outvoted."""
    calibration = Calibration(1.35)
    for _ in range(9):
        calibration.learn(report(1_000, 1_010))
    assert calibration.factor == 1.35
    for _ in range(20):
        calibration.learn(report(1_000, 1_010))
    assert calibration.factor == 1.01


def test_calibration_outvotes_an_odd_report() -> None:
    """Among steady reports a single wild one changes nothing."""
    calibration = Calibration(1.0)
    for _ in range(12):
        calibration.learn(report(1_000, 1_000))
    calibration.learn(report(1_000, 9_000))
    assert calibration.factor == 1.0


@pytest.mark.parametrize(
    "usage",
    [report(255, 900), report(1_000, 2_000, is_estimated=True), report(1_000, 0)],
)
def test_calibration_ignores_what_tells_nothing(usage: Usage) -> None:
    """Small prompts, estimates and missing numbers leave the factor alone."""
    calibration = Calibration(1.1)
    calibration.learn(usage)
    assert calibration.factor == 1.1


@given(
    st.floats(0.7, 4.0),
    st.lists(st.tuples(st.integers(1, 200_000), st.integers(0, 10**9)), max_size=60),
    st.integers(0, 10**6),
)
def test_calibration_stays_sane(factor: float, reports: list[tuple[int, int]], limit: int) -> None:
    """Whatever is reported, the factor keeps its bounds and what fits is expected to fit."""
    calibration = Calibration(factor)
    for predicted, reported in reports:
        calibration.learn(report(predicted, reported))
    assert 0.7 <= calibration.factor <= 4.0
    assert math.ceil(calibration.fit(limit) * calibration.factor) <= limit + 1
