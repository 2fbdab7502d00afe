"""Markdown -> Telegram messages, for whatever a model may write."""

import re
from collections.abc import Callable

import pytest
import regex  # type: ignore[import-untyped]
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bots.markup import Part, plain_parts, telegram_parts
from tests.bots.test_markup_rules import problems

WHOLE = 10**6
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
FLAG = "\U0001f1e9\U0001f1ea"

TOKENS = [
    *"*_~`[]()!#>-+|<&$\\:.=1aB \n\t\r\x00",
    "**", "***", "~~", "``", "```", "````", "~~~", "\n\n", "\n- ", "\n  - ", "\n1. ", "\n   ",
    "\n> ", "\n> > ", "\n# ", "\n---\n", "\n```py\n", "\n```\n", "    ", "- [x] ", "|",
    "\n| a | b |",
    "\n|---|:-:|", "\n|-|-|\n", "](https://a.bc)", "](x)", "![", "[^1]", "\n[^1]: ", "> [!NOTE]\n",
    "\\(", "\\)", "\\[", "\\]", "$$", "$", "$x$", "\\frac{a}{b}", "<b>", "</b>", "<https://a.bc>",
    "&lt;", "&#8232;", "&#xfdd0;", "word", "two words", "https://a.bc/x_y", "\u6587\u5b57\u3002",
    "\uff1a", "\u05e9\u05dc\u05d5\u05dd", FAMILY, FLAG, "e\u0301", "\U0001f34e", "\u200b",
    "\u202e",
    "\ud800", "\udc00", "\ufdd0", "\ufdd17", "\ufdd2", "\u2029", "\u3000", "\u00a0",
]  # fmt: skip

NASTY = st.lists(st.sampled_from(TOKENS), max_size=60).map("".join)
LIMITS = st.integers(20, 200) | st.sampled_from([20, 21, 4095, 4096])
PROSE = st.lists(
    st.sampled_from([
        "a", "of", "words", "Sentence.", "Really?", "longer-than-most", "\u6587\u5b57\u3002",
        FAMILY, FLAG, "e\u0301\u0302", "\U0001f34e", "\n", "\n\n", "\u05e9\u05dc\u05d5\u05dd",
    ]),
    max_size=120,
).map(" ".join)  # fmt: skip
CODE = st.lists(
    st.sampled_from(["x = 1", "    return x", "", "def f():", "        # \U0001f34e", "y" * 40]),
    min_size=1,
    max_size=40,
).map("\n".join)


def texts(parts: tuple[Part, ...]) -> list[str]:
    """Return the parts' texts."""
    return [part.text for part in parts]


def dense(text: str) -> str:
    """Return `text` without blanks of any kind."""
    return re.sub(r"[\s\u200b]+", "", text)


@pytest.mark.parametrize("is_final", [True, False])
@given(markdown=NASTY, limit=LIMITS, most=st.sampled_from([2, 5, 100]))
@settings(max_examples=400, deadline=None)
@example(markdown=">        ]", limit=20, most=2)
@example(markdown="\n> > \t ]", limit=20, most=2)
def test_whatever_comes_renders(markdown: str, limit: int, most: int, *, is_final: bool) -> None:
    """Every text renders within Telegram's rules, at every limit, finished or not."""
    parts = telegram_parts(markdown, limit=limit, most_entities=most, is_final=is_final)
    for part in (*parts, *plain_parts(markdown, limit=limit)):
        assert not problems(part, limit=limit, most=most)


@given(markdown=NASTY)
@settings(max_examples=60, deadline=None)
@example("# T `c` **b**\n\n1. a\n   ```py\n   x\n   ```\n> q\n\n| a | b |\n|---|---|\n| 1 | [t](h")
def test_every_prefix_renders(markdown: str) -> None:
    """An answer renders at every length it has while it grows."""
    for end in range(len(markdown) + 1):
        for part in telegram_parts(markdown[:end], is_final=False):
            assert not problems(part)


class Words:
    """A source of words, each of which occurs once."""

    def __init__(self) -> None:
        self.used: list[str] = []

    def __call__(self) -> str:
        """Return a new word."""
        self.used.append(f"w{len(self.used)}")
        return self.used[-1]


Build = Callable[[Words], str]
INLINES: list[Build] = [
    lambda word: word(),
    lambda word: f"**{word()} {word()}**",
    lambda word: f"*{word()}*",
    lambda word: f"***{word()}** {word()}*",
    lambda word: f"~~{word()}~~",
    lambda word: f"`{word()} {word()}`",
    lambda word: f"**{word()} `{word()}` {word()}**",
    lambda word: f"[{word()} *{word()}*](https://a.bc)",
    lambda word: f"[{word()}]({word()}.md)",
    lambda word: f"![{word()}](https://a.bc/i.png)",
    lambda word: f"<{word()}>{word()}</b>",
    lambda word: f"vector<{word()}>",
    lambda word: f"${word()}_1$ and \\({word()}*{word()}\\)",
    lambda word: f"$5{word()} - $6{word()}",
    lambda word: f"{word()}\n{word()}",
]
INLINE = st.lists(st.sampled_from(INLINES), min_size=1, max_size=5)


def join(separator: str, builders: list[Build]) -> Build:
    """Return what builds all of it, one after the other."""
    return lambda word: separator.join([build(word) for build in builders])


PARAGRAPH = INLINE.map(lambda inlines: join(" ", inlines))
LEAVES = st.one_of(
    PARAGRAPH,
    INLINE.map(lambda inlines: lambda w: "## " + join(" ", inlines)(w).replace("\n", " ")),
    st.integers(0, 3).map(
        lambda n: lambda w: "```py\n" + "\n".join(w() for _ in range(n)) + "\n```"
    ),
    st.just(lambda w: f"| {w()} | {w()} |\n|---|--:|\n| {w()} | {w()} |"),
    st.just(lambda w: f"\\[\n{w()} * {w()} * \\\\ \n\\]"),
    st.just(lambda _: "---"),
)


def indented(prefix: str, first: str, build: Build) -> Build:
    """Return what builds a block inside a list item or a quote."""
    return lambda w: first + build(w).replace("\n", f"\n{prefix}")


BLOCKS: st.SearchStrategy[Build] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda build: indented("> ", "> ", build)),
        inner.map(lambda build: indented("  ", "- ", build)),
        inner.map(lambda build: indented("   ", "1. ", build)),
        st.lists(inner, min_size=2, max_size=4).map(lambda builds: join("\n\n", builds)),
    ),
    max_leaves=8,
)


@given(build=st.lists(BLOCKS, min_size=1, max_size=5).map(lambda b: join("\n\n", b)), limit=LIMITS)
@settings(max_examples=250, deadline=None)
def test_no_word_is_lost(build: Build, limit: int) -> None:
    """Every word a document shows stands in the messages, once and in order."""
    word = Words()
    markdown = build(word)
    parts = telegram_parts(markdown, limit=limit)
    shown = re.findall(r"w\d+", "".join(texts(parts)))
    if limit > 1000 or not any(len(w) > 1 for w in word.used):
        assert shown == word.used
    whole = telegram_parts(markdown, limit=WHOLE, most_entities=WHOLE)
    assert re.findall(r"w\d+", "".join(texts(whole))) == word.used
    assert dense("".join(texts(parts))) == dense("".join(texts(whole)))


@given(prose=PROSE, limit=LIMITS)
@settings(max_examples=250, deadline=None)
def test_prose_is_cut_between_characters_as_people_see_them(prose: str, limit: int) -> None:
    """Nothing but blanks is lost at a cut, and no emoji, flag or accent is taken apart."""
    for render in (plain_parts, telegram_parts):
        (whole,), parts = (render("start " + prose, limit=n) for n in (WHOLE, limit))
        graphemes = [g for part in parts for g in regex.findall(r"\X", part.text)]
        assert [g for g in graphemes if g.strip()] == [
            g for g in regex.findall(r"\X", whole.text) if g.strip()
        ]


@given(code=CODE, limit=LIMITS)
@settings(max_examples=150, deadline=None)
def test_cut_code_stays_code_in_its_language(code: str, limit: int) -> None:
    """Each part of a code block is a code block of that language, with its indents."""
    parts = telegram_parts(f"```py\nstart\n{code}\nend\n```", limit=limit)
    for part in parts:
        assert not problems(part, limit=limit)
        ((kind, language, length),) = ((e.type, e.language, e.length) for e in part.entities)
        assert (kind, language) == ("pre", "py")
        assert length == len(part.text.encode("utf-16-le")) // 2
    if limit > 100:
        lines = "\n".join(texts(parts)).replace("\u00a0", " ").split("\n")
        expected = ["start", *code.split("\n"), "end"]
        assert [line for line in lines if line] == [line for line in expected if line]


@pytest.mark.parametrize("is_final", [True, False])
@given(text=PROSE | CODE.map(lambda code: f"Text.\n\n```py\n{code}"), limit=LIMITS)
@settings(max_examples=60, deadline=None)
def test_parts_but_the_last_stay_while_a_text_grows(
    text: str, limit: int, *, is_final: bool
) -> None:
    """A message that was followed by another does not change any more."""
    before: tuple[Part, ...] = ()
    for end in range(len(text) + 1):
        parts = telegram_parts(text[:end], limit=limit, is_final=is_final)
        assert parts[: len(before) - 1] == before[:-1] if before else True
        before = parts


def test_the_best_place_in_the_second_half_is_cut() -> None:
    """Paragraphs before lines, lines before sentences, sentences before words."""

    def first(text: str) -> str:
        return telegram_parts(text, limit=40)[0].text

    filler = "word " * 20
    assert first(f"{'a' * 22}\n\nb\nc. d e {filler}") == "a" * 22
    assert first(f"{'a' * 22}\nb. c d {filler}") == "a" * 22
    assert first(f"{'a' * 22}. c d {filler}") == "a" * 22 + "."
    assert first(f"{'a' * 22} b" + "c" * 99) == "a" * 22
    assert first(f"{'a' * 10}\n\n{'b' * 99}") == "a" * 10 + "\n\n" + "b" * 28
    assert first(
        "\u6587" * 30 + "\u3002\u201d" + "\u6587" * 30
    ) == "\u6587" * 30 + "\u3002\u201d" + ("\u6587" * 8)
    assert first("\u6587" * 30 + "\u3002" + "\u6587" * 30) == "\u6587" * 30 + "\u3002"


def test_a_heading_stays_with_its_text() -> None:
    """A message does not end in a heading."""
    parts = telegram_parts(f"{'a' * 24}\n\n# H\n\n{'b' * 30}", limit=40)
    assert texts(parts) == ["a" * 24, "H\n\n" + "b" * 30]


def test_code_is_cut_only_if_it_must_be() -> None:
    """A code block moves to the next message whole; a long one is cut before an outer line."""
    moved = telegram_parts(f"{'a' * 24}\n\n```\n{'b' * 10}\n\n{'c' * 20}\n```", limit=40)
    assert texts(moved) == ["a" * 24, "b" * 10 + "\n\n" + "c" * 20]
    body = "\n".join(["def f():", *["    return 1"] * 2, "def g():", *["    return 2"] * 2])
    assert texts(telegram_parts(f"```\n{body}\n```", limit=50))[1].startswith("def g():")


def test_a_cut_inside_bold_or_a_link_goes_on_behind_it() -> None:
    """Both halves keep the formatting."""
    parts = telegram_parts(f"**{'word ' * 9}[{'text ' * 9}x](https://a.bc)**", limit=60)
    kinds = [[entity.type for entity in part.entities] for part in parts]
    assert kinds == [["bold", "text_link"], ["bold", "text_link"]]


def test_a_message_has_no_more_entities_than_telegram_shows() -> None:
    """Formatting is never dropped: the message ends before the 101st entity."""
    parts = telegram_parts("`x` " * 250)
    assert [len(part.entities) for part in parts] == [100, 100, 50]


def test_a_character_longer_than_a_message_is_cut_after_all() -> None:
    """A pile of accents must not stop an answer."""
    parts = plain_parts("e" + "\u0301" * 100, limit=20)
    assert "".join(texts(parts)) == "e" + "\u0301" * 100
    assert all(len(part.text) <= 20 for part in parts)


HUGE = [
    ">" * 20_000 + " x",
    "- " * 10_000 + "x",
    "[" * 1000 + "x" + "](y)" * 1000,
    "*a **b " * 20_000,
    "|a" * 10_000 + "|\n" + "|-" * 10_000 + "|\n" + "|b" * 9_000 + "|\n",
    "|a" * 5000 + "|\n" + "|-" * 5000 + "|\n" + "|\n" * 3_000,
    "".join("`" * n + " " for n in range(1, 400)),
    r"\(" * 50_000,
    "$$a " * 20_000,
    r"\begin{align}a" * 20_000,
    "a" + "\u0301" * 100_000,
    "```\n" + "\n" * 100_000 + "x",
    " " * 100_000 + "x",
    "<" * 100_000,
    "word and " * 110_000,
]


@pytest.mark.parametrize("markdown", HUGE, ids=lambda text: text[:8])
@pytest.mark.timeout(30)
def test_monstrous_documents_render(markdown: str) -> None:
    """Neither depth nor breadth nor a megabyte stops the walk."""
    parts = telegram_parts(markdown)
    assert parts
    assert all(part.text for part in parts)
    telegram_parts(markdown, is_final=False)
