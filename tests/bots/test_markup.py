"""Markdown -> Telegram messages, example by example."""

import pytest

from bots.markup import Entity, Part, plain_parts, telegram_parts
from tests.bots.test_markup_rules import problems

Looks = list[tuple[str, str]]


def shown(part: Part) -> Looks:
    """Return type and text of each entity, with address or language behind a `|`."""
    raw = part.text.encode("utf-16-le")

    def text(entity: Entity) -> str:
        piece = raw[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")
        extra = entity.url or entity.language
        return f"{piece}|{extra}" if extra else piece

    return [(entity.type, text(entity)) for entity in part.entities]


def only(markdown: str, *, is_final: bool = True) -> Part:
    """Return the one message that shows the Markdown, checked against Telegram's rules."""
    (part,) = telegram_parts(markdown, is_final=is_final)
    assert not problems(part)
    return part


INLINE: list[tuple[str, str, Looks]] = [
    ("plain", "plain", []),
    ("**b** *i* __b__ _i_ ~~s~~", "b i b i s", [
        ("bold", "b"), ("italic", "i"), ("bold", "b"), ("italic", "i"), ("strikethrough", "s"),
    ]),
    ("***all* bold**", "all bold", [("bold", "all bold"), ("italic", "all")]),
    ("**a **b** c**", "a b c", [("bold", "a b c")]),
    ("a `x` b", "a x b", [("code", "x")]),
    ("``a`b``", "a`b", [("code", "a`b")]),
    ("**a `x` b**", "a x b", [("bold", "a"), ("code", "x"), ("bold", "b")]),
    ("***a`x`b***", "axb", [
        ("italic", "a"), ("bold", "a"), ("code", "x"), ("italic", "b"), ("bold", "b"),
    ]),
    ("snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4", []),
    (r"\*not\* \`x\`", "*not* `x`", []),
    ("~5 to ~6", "~5 to ~6", []),
    ("\U0001f34e **b\U0001f34e** `c`", "\U0001f34e b\U0001f34e c", [
        ("bold", "b\U0001f34e"), ("code", "c"),
    ]),
    ("**\u05e9\u05dc\u05d5\u05dd** abc", "\u05e9\u05dc\u05d5\u05dd abc", [
        ("bold", "\u05e9\u05dc\u05d5\u05dd"),
    ]),
    ("**\u6ce8\u610f\uff1a**\u8bf7", "\u6ce8\u610f\uff1a\u8bf7", [("bold", "\u6ce8\u610f\uff1a")]),
    ("\u8bf7**\u201c\u6ce8\u201d**\u5427", "\u8bf7\u201c\u6ce8\u201d\u5427", [
        ("bold", "\u201c\u6ce8\u201d"),
    ]),
    ("2**(3)**4 \u6ce8", "2**(3)**4 \u6ce8", []),
    ("a\nb  \nc\\\nd", "a\nb\nc\nd", []),
    ("&lt;b&gt; &amp; &copy;", "<b> & \u00a9", []),
]  # fmt: skip

HTML = [
    "vector<int> and List<String>",
    "<b>x</b><br/>",
    "<|endoftext|>",
    "<!-- comment -->",
    "<div>\n<p>text</p>\n</div>",
    "<?php echo 1; ?>",
    "a <- b <<EOF <3 <T>",
    "<script>alert(1)</script>",
]

NO_MATH = [
    r"$\frac{a*b*c$",
    r"\(x*y*z^\)",
    "\\[\n\\frac{a}{b} \\\\ c\n+ \\unknown{d*e*f}\n\\]",
    "$$\n\\left( x_1 * x_2 *\n$$",
    "$5 and $6, $5-$6, US$5, 5$, $1,000",
    "$HOME/bin:$PATH",
    r"open \( here",
]

LINKS: list[tuple[str, str, Looks]] = [
    ("[t](https://a.bc/x?y=1#z)", "t", [("text_link", "t|https://a.bc/x?y=1#z")]),
    ("[t](http://\u00fcmlaut.de:8080)", "t", [("text_link", "t|http://\u00fcmlaut.de:8080")]),
    ("[t](tg://resolve?domain=x)", "t", [("text_link", "t|tg://resolve?domain=x")]),
    ("[t](<https://a.bc/x y>)", "t", [("text_link", "t|https://a.bc/x%20y")]),
    ("[**t** `c`](https://a.bc)", "t c", [("text_link", "t c|https://a.bc"), ("bold", "t")]),
    ("**[t](https://a.bc) x**", "t x", [("bold", "t x"), ("text_link", "t|https://a.bc")]),
    ("[t][r]\n\n[r]: https://a.bc", "t", [("text_link", "t|https://a.bc")]),
    ("https://a.bc/x_y_z and www.a.bc", "https://a.bc/x_y_z and www.a.bc", []),
    (
        "https://a.bc/__init__.py or **https://a.bc/_x_?** _https://a.bc/y_",
        ("https://a.bc/__init__.py or https://a.bc/_x_? https://a.bc/y"),
        [("bold", "https://a.bc/_x_?"), ("italic", "https://a.bc/y")],
    ),
    (
        "<https://a.bc/_x_> [t](https://a.bc/_x_)",
        "https://a.bc/_x_ t",
        [
            ("text_link", "t|https://a.bc/_x_"),
        ],
    ),
    ("`https://a.bc/_x_/y`", "https://a.bc/_x_/y", [("code", "https://a.bc/_x_/y")]),
    ("<https://a.bc> [https://a.bc](https://a.bc)", "https://a.bc https://a.bc", []),
    ("<a@b.cd> [m](mailto:a@b.cd)", "a@b.cd m (a@b.cd)", []),
    ("[t](file.md) [t](#part)", "t (file.md) t (#part)", []),
    ("[t](http://localhost:80)", "t (http://localhost:80)", []),
    ("[t](https://a.bc:99999)", "t (https://a.bc:99999)", []),
    ("[t](https://u:p@a.bc)", "t (https://u:p@a.bc)", []),
    ("[t](http://127.0.0.1:65535/<x>)", "t", [("text_link", "t|http://127.0.0.1:65535/%3Cx%3E")]),
    ("[t](http://a..bc) [t](http://-a.b)", "t (http://a..bc) t (http://-a.b)", []),
    (f"[t](https://a.bc/{'x' * 2048})", f"t (https://a.bc/{'x' * 2048})", []),
    ("[t](javascript:x) [t](tg://user?id=1)", "t (javascript:x) t (tg://user?id=1)", []),
    ("![alt](https://a.bc/i.png)", "alt", [("text_link", "alt|https://a.bc/i.png")]),
    ("![](https://a.bc/i.png) [](x)", "https://a.bc/i.png x", []),
    ("[![alt](https://i.mg)](https://a.bc)", "alt", [("text_link", "alt|https://a.bc")]),
    ("[![alt](https://i.mg)](x)", "alt (x)", []),
    ("[t]() [not a link] [a][b]", "t [not a link] [a][b]", []),
]

BLOCKS: list[tuple[str, str, Looks]] = [
    ("# H `c` **b**\ntext", "H c b\n\ntext", [("bold", "H"), ("code", "c"), ("bold", "b")]),
    ("a\n# H\n\n\nb", "a\n\nH\n\nb", [("bold", "H")]),
    ("H\n===\nb", "H\n\nb", [("bold", "H")]),
    ("a\n\n---\n\nb", "a\n\n\u2014\u2014\u2014\n\nb", []),
    ("- a\n- b\n  - c\n- d", "\u2022 a\n\u2022 b\n    \u2022 c\n\u2022 d", []),
    ("- **a**\n\n- b\n\n- c", "\u2022 a\n\u2022 b\n\u2022 c", [("bold", "a")]),
    ("- a\n\n  more\n- b", "\u2022 a\n\n    more\n\n\u2022 b", []),
    ("- a\n  - b\n\n    more\n- c", "\u2022 a\n    \u2022 b\n\n        more\n\n\u2022 c", []),
    ("- a\n  b\n-\n- c", "\u2022 a\n    b\n\u2022 \n\u2022 c", []),
    ("3. a\n4. b\n7) c", "3. a\n4. b\n\n7) c", []),
    ("10. a\n9. b\n8. c", "10. a\n9. b\n8. c", []),
    ("1. a\n1. b\n1. c", "1. a\n2. b\n3. c", []),
    ("- [ ] a\n- [x] b\n1. [x] c", "\u2610 a\n\u2611 b\n\n1. \u2611 c", []),
    ("- - a", "\u2022 \u2022 a", []),
    ("1. a\n   ```sh\n   ls\n   ```\n2. b", "1. a\nls\n2. b", [("pre", "ls|sh")]),
    ("- # H\n- > q\n- ```\n  c\n  ```", "\u2022 H\n\u2022 \nq\n\u2022 \nc", [
        ("bold", "H"), ("blockquote", "q"), ("pre", "c"),
    ]),
    ("- a\n  ---", "\u2022 a", [("bold", "a")]),
    ("- ***", "\u2022 \u2014\u2014\u2014", []),
    ("> a\n> **b**\n\nc", "a\nb\n\nc", [("blockquote", "a\nb"), ("bold", "b")]),
    ("> a\n> > b\n> c", "a\n\nb\nc", [("blockquote", "a\n\nb\nc")]),
    ("> - a\n> - b", "\u2022 a\n\u2022 b", [("blockquote", "\u2022 a\n\u2022 b")]),
    ("> ```py\n> x\n> ```\n> `y`", "x\n\ny", [
        ("blockquote", "x\n\ny"), ("pre", "x|py"), ("code", "y"),
    ]),
    ("> a\n\n> b", "a\n\nb", [("blockquote", "a"), ("blockquote", "b")]),
    ("> [!NOTE]\n> a", "Note\na", [("blockquote", "Note\na"), ("bold", "Note")]),
    ("a\n\n>\n\nb", "a\n\nb", []),
    ("```python\nif x:\n\ty\n\n```\nb", "if x:\n    y\n\nb", [("pre", "if x:\n    y|python")]),
    ("```{.c++ x=1}\na\n```", "a", [("pre", "a")]),
    ("~~~c++ x=1\n```\n~~~", "```", [("pre", "```|c++")]),
    ("    indented\n      more", "indented\n  more", [("pre", "indented\n  more")]),
    ("```\n\n \n  1\n+ 22\n```", "\u00a0\u00a01\n+ 22", [("pre", "\u00a0\u00a01\n+ 22")]),
    ("```\nvector<int> \\(x\\) $y$ **z**", "vector<int> \\(x\\) $y$ **z**", [
        ("pre", "vector<int> \\(x\\) $y$ **z**"),
    ]),
    ("a[^1] b[^x] c[^2]\n\n[^1]: One.\n[^x]: Two.", "a[1] b[x] c[^2]\n\n[1] One.\n\n[x] Two.", []),
]  # fmt: skip


@pytest.mark.parametrize(("markdown", "text", "looks"), INLINE + LINKS + BLOCKS)
def test_markdown_looks_as_it_says(markdown: str, text: str, looks: Looks) -> None:
    """Each construct becomes its text and exactly its entities."""
    part = only(markdown)
    assert (part.text, shown(part)) == (text, looks)


@pytest.mark.parametrize("text", HTML)
def test_html_is_text(text: str) -> None:
    """Whatever looks like HTML is shown, in prose and in code."""
    assert only(text) == Part(text=text, entities=())
    assert only(f"`{text}`").text == text.replace("\n", " ")
    assert only(f"```\n{text}\n```").text == text


@pytest.mark.parametrize("text", NO_MATH)
def test_prices_and_what_is_no_formula_keep_every_character(text: str) -> None:
    """No dollar is lost, and no backslash of LaTeX that cannot be read."""
    assert only(text).text == text.replace(r"\( here", "( here")


def test_a_formula_is_code_and_a_price_is_not() -> None:
    """What is plainly LaTeX is set apart, and stays LaTeX in code and addresses."""
    part = only(r"$E=mc^2$ for $5 and \(x\), **$5** or **US 6$**, `\(y\)`, [z](https://a.bc/$x$)")
    assert part.text == "E = mc\u00b2 for $5 and x, $5 or US 6$, \\(y\\), z"
    assert shown(part) == [
        ("code", "E = mc\u00b2"),
        ("code", "x"),
        ("bold", "$5"),
        ("bold", "US 6$"),
        ("code", r"\(y\)"),
        ("text_link", "z|https://a.bc/$x$"),
    ]


def test_a_narrow_table_is_aligned() -> None:
    """Columns line up, whatever their characters' width and their alignment."""
    table = (
        "| Name | Qty | M |\n|:--|--:|:-:|\n| \U0001f34e **x** | 3 | abc |\n| \u65e5\u672c | 14 |"
    )
    part = only(table)
    assert part.text == (
        "Name  Qty   M\n"
        "\u2500\u2500\u2500\u2500  \u2500\u2500\u2500  \u2500\u2500\u2500\n"
        "\U0001f34e x    3  abc\n"
        "\u65e5\u672c   14"
    )
    assert [entity.type for entity in part.entities] == ["pre"]


def test_a_table_whose_first_line_is_indented_stays_aligned() -> None:
    """Telegram trims blanks at the start of code, so they are made unbreakable."""
    part = only("| a | b |\n|--:|---|\n| long | x |")
    assert part.text.startswith("\u00a0\u00a0\u00a0a  b\n")


def test_a_table_without_headings_has_no_rule() -> None:
    """Empty headings are not shown."""
    assert only("| | |\n|-|-|\n| a | b |").text == "a  b"


def test_a_break_in_a_table_is_a_new_line_where_there_is_room() -> None:
    """Models write `<br>` there for want of another way; anywhere else it is text."""
    assert only("| a | b |\n|---|---|\n| x<br>y | `<br>` |").text.endswith("\nx y  <br>")
    wide = "a heading that is really rather long, too"
    assert only(f"| {wide} |\n|---|\n| x <BR /> y |").text == f"{wide}: x\ny"
    assert only("a<br>b").text == "a<br>b"


def test_a_wide_table_becomes_a_list() -> None:
    """What a phone cannot show side by side is listed, with its formatting and every heading."""
    wide = "a heading that is really rather long"
    table = f"| {wide} | `h` | |\n|-|-|-|\n| **b** | | `c` |\n| [t](https://a.bc) | x | |"
    part = only(table)
    assert part.text == f"{wide}: b\nh:\nc\n\n{wide}: t\nh: x"
    assert shown(part) == [
        ("bold", f"{wide}:"),
        ("bold", "b"),
        ("bold", "h:"),
        ("code", "c"),
        ("bold", f"{wide}:"),
        ("text_link", "t|https://a.bc"),
        ("bold", "h:"),
    ]
    assert only(f"| {wide} | {wide} |\n|-|-|").text == f"{wide}\n{wide}"


@pytest.mark.parametrize(
    ("quote", "kind"),
    [
        ("> line\n" * 10, "blockquote"),
        ("> line\n" * 11, "expandable_blockquote"),
        ("> " + "words " * 100, "expandable_blockquote"),
    ],
)
def test_a_long_quote_is_folded(quote: str, kind: str) -> None:
    """A quote that would fill a phone's screen can be expanded."""
    assert [entity.type for entity in only(quote).entities] == [kind]


@pytest.mark.parametrize("blank", ["", " ", "\n \n\t", "\u200b", "\u00a0", "\x00\x1b", "&nbsp;"])
def test_what_is_blank_gives_no_message(blank: str) -> None:
    """Telegram refuses empty messages."""
    assert telegram_parts(blank, is_final=False) == ()
    assert telegram_parts(blank.replace("&nbsp;", "")) == ()
    assert plain_parts(blank.replace("&nbsp;", "")) == ()


@pytest.mark.parametrize("empty", ["```\n```", "[]()", "&nbsp;", "` `", "![]()", ">", "#"])
def test_what_shows_nothing_is_shown_as_it_was_written(empty: str) -> None:
    """A final answer is never silent."""
    assert only(empty) == Part(text=empty, entities=())


def test_what_telegram_would_drop_is_gone_before_offsets_are_counted() -> None:
    """Control characters, overrides of direction and lone surrogates do not shift entities."""
    part = only(
        "a\x00\x1b\u202e\ud800 **b**\r\nc\u2028d\te A\u030a &#8238;&#xfdd2;\ufdd1\ufdd3\ufdd00"
    )
    assert part.text == "a\ufffd b\nc\nd   e \u00c5 <\ufffd\ufffd\ufffd0"
    assert shown(part) == [("bold", "b")]
    assert only("\ud83d\ude00 `x`").text == "\U0001f600 x"
    assert only("&#xfdd0;7&#xfdd1;").text == "\ufffd"


def test_plain_text_is_shown_as_it_is() -> None:
    """The fallback has no entities and loses no marker."""
    (part,) = plain_parts("**a** <b>\t\x00`c`\r\n")
    assert part == Part(text="**a** <b>   `c`", entities=())
    assert [part.text for part in plain_parts("one two. three", limit=9)] == ["one two.", "three"]


STREAMED: list[tuple[str, str, Looks]] = [
    ("a **bo", "a bo", [("bold", "bo")]),
    ("a **bold*", "a bold", [("bold", "bold")]),
    ("a **", "a", []),
    ("a **b *c", "a b c", [("bold", "b c"), ("italic", "c")]),
    ("***a* b", "a b", [("bold", "a b"), ("italic", "a")]),
    ("***a** b", "a b", [("italic", "a b"), ("bold", "a")]),
    ("**a *b*** c", "a b c", [("bold", "a b"), ("italic", "b")]),
    ("**a _b** c", "a _b c", [("bold", "a _b")]),
    ("**a b", "a b", [("bold", "a b")]),
    ("~~a~", "a", [("strikethrough", "a")]),
    ("about ~5", "about ~5", []),
    ("2*3 and a_b", "2*3 and a_b", []),
    ("x * y", "x * y", []),
    (r"a \*b", "a *b", []),
    ("a\\", "a", []),
    ("a `co", "a co", [("code", "co")]),
    ("a `", "a", []),
    ("``a`", "a", [("code", "a")]),
    ("`a` **b `c*", "a b c*", [("code", "a"), ("bold", "b"), ("code", "c*")]),
    ("**a `b`", "a b", [("bold", "a"), ("code", "b")]),
    ("a [li", "a li", []),
    ("a [link]", "a link", []),
    ("**a [link](htt", "a link", [("bold", "a link")]),
    ("a [`b` c", "a b c", [("code", "b")]),
    ("**a [`b`](htt", "a b", [("bold", "a"), ("code", "b")]),
    ("a [`b", "a b", [("code", "b")]),
    ("a https://a.bc/_x *b", "a https://a.bc/_x b", [("italic", "b")]),
    ("_a https://a.bc/_x", "a https://a.bc/_x", [("italic", "a https://a.bc/_x")]),
    ("a ![alt](https://a.b/c_(d", "a alt", []),
    ("a [1] b", "a [1] b", []),
    (r"**x** \(a*b*c", "x a*b*c", [("bold", "x"), ("code", "a*b*c")]),
    ("a\n\\[\nx\n+ y\\", "a\nx + y", [("code", "x + y")]),
    ("a\n$$\nx\n+ y\n$", "a\nx + y", [("code", "x + y")]),
    ("a\n$$\nx\n$$\n**y", "a\nx\ny", [("code", "x"), ("bold", "y")]),
    (r"a \(\frac{b}{", r"a \(\frac{b}{\)", [("code", r"\(\frac{b}{\)")]),
    ("a\n$$", "a", []),
    ("$$ for **food", "$$ for food", [("bold", "food")]),
    ("a \\[", "a", []),
    ("Text\n-", "Text", []),
    ("Text\n1.", "Text", []),
    ("- a\n-", "\u2022 a", []),
    ("#", "", []),
    ("a\n``", "a", []),
    ("a\n\n```py", "a", []),
    ("```", "", []),
    ("```py\nx = `1\n``", "x = `1", [("pre", "x = `1|py")]),
    ("```py\nx **y", "x **y", [("pre", "x **y|py")]),
    ("```\nx\n```\n", "x", [("pre", "x")]),
    ("```\nx\n```\n**y", "x\n\ny", [("pre", "x"), ("bold", "y")]),
    ("```` `x\n**y", "`x **y", [("code", "`x **y")]),
    ("a\n\n| h | i", "a", []),
    ("| h | i |\n|--", "", []),
    ("| h | i |\n|---|---|", "h  i\n\u2500  \u2500", [("pre", "h  i\n\u2500  \u2500")]),
    ("| h |\n|---|\n| **x", "h\n\u2500\nx", [("pre", "h\n\u2500\nx")]),
    ("> **a\n> b", "a\nb", [("blockquote", "a\nb"), ("bold", "a\nb")]),
    ("**done**", "done", [("bold", "done")]),
]


@pytest.mark.parametrize(("prefix", "text", "looks"), STREAMED)
def test_a_growing_text_shows_no_marker(prefix: str, text: str, looks: Looks) -> None:
    """What is open at the end is taken as closed, or held back until it says something."""
    if not text:
        assert telegram_parts(prefix, is_final=False) == ()
        return
    part = only(prefix, is_final=False)
    assert (part.text, shown(part)) == (text, looks)


@pytest.mark.parametrize("text", ["a **b", "a `b", "a [b](c", "a *b", "a [b", "| a | b", "a\n1."])
def test_the_final_text_keeps_markers_that_mark_nothing(text: str) -> None:
    """Nothing is closed or dropped once no more can come."""
    assert only(text).text == text


def test_a_very_long_paragraph_is_not_searched_for_open_markers() -> None:
    """Closing markers costs a bounded time; what is longer shows them."""
    text = "**" + "word " * 2000
    assert telegram_parts(text, is_final=False)[0].text.startswith("**word")
