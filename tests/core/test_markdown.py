"""Text put into Markdown shows as it is."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from core import markdown

NASTY = st.text(st.sampled_from("[](){}*_`<>~|#$&\\-+=.!:1a "), min_size=1)


def shown(tokens: list[Token]) -> str:
    """Return what a reader sees of a document."""
    return "".join(
        shown(token.children) if token.children else token.content
        for token in tokens
        if token.type in {"inline", "text", "text_special", "softbreak", "code_inline"}
    )


@pytest.mark.parametrize(
    "text",
    ["[Ann](https://evil.example)", "1. one", "1.", "*Bob*", "# Eve", "- x", "a_b_c", "$5 &amp;"],
)
def test_names_are_no_markup(text: str) -> None:
    """A name that looks like a link, a list or a heading is shown letter by letter."""
    tokens = MarkdownIt().parse(markdown.plain(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert shown(tokens) == text


@given(NASTY.map(str.strip).filter(bool))
def test_any_line_shows_as_it_is(text: str) -> None:
    """Nothing of a line is taken for markup."""
    assert shown(MarkdownIt().parse(markdown.plain(text))) == text


@given(st.lists(NASTY | st.sampled_from(["", "    ", "\t"]), min_size=1).map("\n".join))
@example("\n- x")
@example("\tx")
def test_any_lines_show_as_they_are(text: str) -> None:
    """Nor of many lines; blanks at their ends do not count."""
    seen = shown(MarkdownIt().parse(markdown.plain(text)))
    assert "".join(seen.split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ("a", "a"),
        ("```py\nx", "```py\nx\n```"),
        ("```py\nx\n```\ny", "```py\nx\n```\ny"),
        ("~~~~\n```\n~~~", "~~~~\n```\n~~~\n~~~~"),
        ("```\n```x\n````", "```\n```x\n````"),
        ("```x``` y", "```x``` y"),
        ("1. a:\n   ```py\n   x", "1. a:\n   ```py\n   x\n   ```"),
        ("- ```py\n  x\n  ```\ny", "- ```py\n  x\n  ```\ny"),
        ("- a\n  ```py\n  x\n\ny\n```\nz", "- a\n  ```py\n  x\n\ny\n```\nz\n```"),
        ("> ```py\n> x", "> ```py\n> x\n> ```"),
        ("```\n> ```\n- ```\n    ```", "```\n> ```\n- ```\n    ```\n```"),
    ],
)
def test_an_open_code_block_is_closed(text: str, ended: str) -> None:
    """What stands below a text that breaks off is no part of its code."""
    assert markdown.with_end(text) == ended
    tokens = MarkdownIt().parse(f"{ended}\n\nnote")
    assert [token.content for token in tokens if token.level == 1][-1] == "note"


def test_quotes_every_line() -> None:
    """A quote holds all lines, blank ones too."""
    assert markdown.quote("a\n\nb") == "> a\n>\n> b"


def test_code_of_nothing_is_nothing() -> None:
    """No empty code is written."""
    assert (markdown.code("x"), markdown.code("")) == ("`x`", "")
