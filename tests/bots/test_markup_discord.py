"""Markdown -> Discord messages: what people see, read by an independent reader."""

import re
import unicodedata

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bots.markup import DiscordPart, Part, discord_parts, telegram_parts
from tests.bots.discord_reader import SEAMS, Shown, read
from tests.bots.test_markup_properties import (
    BLOCKS,
    CODE,
    HUGE,
    NASTY,
    PROSE,
    WHOLE,
    Build,
    Words,
    dense,
    join,
)

LIMITS = st.integers(100, 400) | st.sampled_from([100, 1999, 2000])
NEVER = {"list", "small", "reference", "underline", "spoiler"}
NAMES = {"text_link": "link", "blockquote": "quote", "expandable_blockquote": "quote"}
STYLES = {"bold", "italic", "strikethrough", "code", "pre", "link", "quote"}


def units(text: str) -> int:
    """Return the length of a text in UTF-16 units, which is at least that in characters."""
    return len(text.encode("utf-16-le")) // 2


def visible(content: str) -> str:
    """Return what people read of a message."""
    return "".join(char for char, _ in read(content) if char not in SEAMS)


def runs(content: str) -> list[tuple[str, str]]:
    """Return the looks that a message has, each with the text that looks so, in order."""
    found: list[tuple[str, str]] = []
    before: frozenset[str] = frozenset()
    for char, looks in read(content):
        for look in sorted(looks):
            at = max((i for i, run in enumerate(found) if run[0] == look), default=None)
            if look in before and at is not None:
                found[at] = (look, found[at][1] + char)
            else:
                found.append((look, char))
        before = looks
    return found


def problems(content: str, *, limit: int = 2000) -> list[str]:
    """Return what is wrong with a message, whatever it says."""
    found = []
    if units(content) > limit:
        found.append("too long")
    if content != content.strip(" \n"):
        found.append("untrimmed")
    if not any(unicodedata.category(char)[0] not in "ZC" for char, _ in read(content)):
        found.append("nothing to see")
    looks = frozenset().union(*(look for _, look in read(content)))
    return found + sorted(looks & NEVER)


def only(markdown: str, *, is_final: bool = True) -> str:
    """Return the one message that shows the Markdown, checked."""
    (part,) = discord_parts(markdown, is_final=is_final)
    assert not problems(part.text)
    return part.text


INLINE = [
    ("**b** *i* __b__ _i_ ~~s~~", "**b** _i_ **b** _i_ ~~s~~"),
    ("***all* bold**", "**_all_ bold**"),
    ("***a** b* c", "_**a** b_ c"),
    ("***a***", "_**a**_"),
    ("un*believ*able", "un*believ*able"),
    ("**a**__b__ *a*_b_", "**a**\u200b**b** *a*\u200b*b*"),
    ("**a `x` b**", "**a** `x` **b**"),
    ("`a``b` `` `x` `` ```` a```b ````", "``a`\u200b`b`` `` `x` `` ``a`\u200b`\u200b`b``"),
    ("`a`<!-- -->", "`a`\\<!-- -->"),
    ("**a\nb** c", "**a**\n**b** c"),
    ("**a\n&nbsp;\nb**", "**a**\n\u00a0\n**b**"),
    ("\\_\\_init\\_\\_ snake_case_name", r"\_\_init\_\_ snake\_case\_name"),
    ("2 * 3", r"2 \* 3"),
    (r"\|\|no\|\| \~\~x a\\b \`c", r"\|\|no\|\| \~\~x a\\b \`c"),
    ("<@123> <@&4> <#1> <:e:1> <t:1:R> </a:1>",
     r"\<@123> \<@&4> \<#1> \<\:e:1> \<t\:1:R> \</a:1>"),
    (":smile: 10:30:45 a: *b:* :*c*:", r"\:smile: 10\:30:45 a: _b:_ \:_c_:"),
    ("vector<int> a&#91;0](b)", r"vector\<int> a\[0]\(b)"),
    ("@everyone #general", "@everyone #general"),
]  # fmt: skip

STARTS = [
    ("a\n\\# b", "a\n\\# b"),
    ("a\n\\- b\n\\+ c\n\\* d", "a\n\\- b\n\\+ c\n\\* d"),
    ("a\n-# b", "a\n\\-# b"),
    ("a\n\\> b", "a\n\\> b"),
    ("1\\. b\n#c -5\n-5", "1\\. b\n\\#c -5\n-5"),
    ("&#35;*\n-", r"## \#\*"),
    ("**\\# a** *\\- b*", "**\\# a** _\\- b_"),
    ("1. a\n2. b\n   - c", "1\\. a\n2\\. b\n    \u2022 c"),
    ("- [x] a\n- b\n\n---", "\u2611 a\n\u2022 b\n\n\u2014\u2014\u2014"),
]

LINKS = [
    ("[t](https://a.bc/x_y?z=1#q)", "[t](https://a.bc/x_y?z=1#q)"),
    ("[t](https://a.bc/x_(y))", "[t](https://a.bc/x_%28y%29)"),
    ("[*t*](https://a.bc)", "[*t*](https://a.bc)"),
    ("[t](<https://a.bc/x y*z>)", "[t](https://a.bc/x%20y%2Az)"),
    ("[[1]](https://a.bc) [a \\[b](https://a.bc)", r"[[1]](https://a.bc) a \[b (<https://a.bc>)"),
    ("[https://x.yz](https://a.bc)", "<https://x.yz> (<https://a.bc>)"),
    ("[t](http://localhost:80) [m](mailto:a@b.cd)", "t (<http://localhost:80>) m (a@b.cd)"),
    ("[t](https://u:p@a.bc) [t](ftp://a.bc)", "t (<https://u:p@a.bc>) t (ftp://a.bc)"),
    ("https://a.bc/x_y_(z). (http://a.bc)", "<https://a.bc/x_y_(z)>. (<http://a.bc>)"),
    ("**https://a.bc/x__y**", "**<https://a.bc/x__y>**"),
    ("a:[b](https://a.bc)", r"a\:[b](https://a.bc)"),
    ("\u8bf7\u770bhttps://a.bc\uff0c\u597d", "\u8bf7\u770b<https://a.bc>\uff0c\u597d"),
    ("[a](https://a.bc) b](https://a.bc)", r"[a](https://a.bc) b]\(<https://a.bc>)"),
    ("- <https://a.bc>", "\u2022 <https://a.bc>"),
    ("[a [b [c]]](https://a.bc) https://.", r"a \[b \[c]] (<https://a.bc>) https\://."),
    ("https:// a https://a.bc/\\*.py", r"https:// a <https://a.bc/>\*.py"),
    ("![alt](https://a.bc/i.png)", "[alt](https://a.bc/i.png)"),
]  # fmt: skip

BLOCK = [
    ("# a\n\nb\n## c `d` **e**\nf\n#### g\n\nh", "# a\nb\n\n## c `d` e\nf\n\n**g**\n\nh"),
    ("# `a` b\n\nc", "# `a` b\nc"),
    ("- # a", "\u2022 **a**"),
    ("> a\n> **b**\n>\n> c\n\nd", "> a\n> **b**\n> \n> c\n\nd"),
    ("> # a\n> b", "> # a\n> b"),
    ("> ```py\n> x\n> ```\n> y", "> ```py\n> x\n> ```\n> \n> y"),
    ("```c#\n  x *y*\n\n\tz\n```\nb", "```cs\n  x *y*\n\n    z\n```\n\nb"),
    ("````\na ``` b\n````", "```\na ``\u200b` b\n```"),
    ("```\u65e5\nx\n```", "```\nx\n```"),
    (r"a \(x_1^*\) b", "a `x₁^*` b"),
    ("\\[\n\\begin{aligned}\na &= b\\\\ &= c\\end{aligned}\n\\]", "```\na = b\n  = c\n```"),
    ("| a | b |\n|---|--:|\n| `1` | 2 |", "```\na  b\n\u2500  \u2500\n1  2\n```"),
]


@pytest.mark.parametrize(("markdown", "content"), INLINE + STARTS + LINKS + BLOCK)
def test_markdown_becomes_discords(markdown: str, content: str) -> None:
    """Each construct is written as Discord reads it, and nothing else becomes markup."""
    assert only(markdown) == content


def test_an_answer_looks_as_it_says() -> None:
    """The reader sees what was meant."""
    content = only(
        "## Say `hi`\n\n*Use* **[docs](https://a.bc/d_e)**:\n\n```c++\n  f_(x);\n```\n> `x` *y*"
    )
    assert runs(content) == [
        ("heading 2", "Say hi"),
        ("code", "hi"),
        ("italic", "Use"),
        ("bold", "docs"),
        ("link", "docs"),
        ("to https://a.bc/d_e", "docs"),
        ("language c++", "  f_(x);"),
        ("pre", "  f_(x);"),
        ("code", "x"),
        ("quote", "x y"),
        ("italic", "y"),
    ]


HARMLESS = st.lists(
    st.sampled_from([
        *"*_~|`<>#-+[]():@!.\\/1a \n", "**", "__", "~~", "||", "```", "-# ", "1. ", "<@1>", "<#1>",
        "<:a:1>", "<t:1>", ":a:", "](https://a.bc)", "> ", ">>> ", "word", "\u6587",
    ]),
    max_size=60,
).map("".join)  # fmt: skip


@given(text=HARMLESS, limit=LIMITS)
@settings(max_examples=120, deadline=None)
def test_literal_text_is_shown_as_it_is(text: str, limit: int) -> None:
    """No character of a text without markup turns into markup, wherever messages are cut."""
    escaped = re.sub(r"[^\s]", lambda match: f"&#{ord(match[0])};", text)
    escaped = re.sub(r"^ +", "", escaped, flags=re.MULTILINE)
    parts = discord_parts(escaped, limit=limit)
    shown: Shown = [each for part in parts for each in read(part.text)]
    assert dense("".join(char for char, _ in shown)) == dense(text)
    assert {look for _, looks in shown for look in looks if not look.startswith("to ")} <= {
        "address"
    }


def telegram_looks(part: Part) -> list[tuple[str, set[str]]]:
    """Return each character of a Telegram message with how it looks; addresses are no links."""
    raw = part.text.encode("utf-16-le")
    looks: list[set[str]] = [set() for _ in part.text]
    for entity in part.entities:
        start = len(raw[: 2 * entity.offset].decode("utf-16-le"))
        end = len(raw[: 2 * (entity.offset + entity.length)].decode("utf-16-le"))
        if entity.url != part.text[start:end]:
            for place in range(start, end):
                looks[place].add(NAMES.get(entity.type, entity.type))
    return list(zip(part.text, looks, strict=True))


def discord_looks(content: str) -> list[tuple[str, set[str]]]:
    """Return each character of a Discord message with how it looks, in Telegram's terms."""
    found = []
    for char, looks in read(content):
        is_heading = any(look.startswith("heading") for look in looks)
        bold = {"bold"} if is_heading and "code" not in looks else set()
        found.append((char, (set(looks) & STYLES) | bold))
    return found


def inked(looks: list[tuple[str, set[str]]]) -> list[tuple[str, set[str]]]:
    """Return those that can be seen."""
    return [each for each in looks if not each[0].isspace() and each[0] not in SEAMS]


@given(markdown=NASTY)
@settings(max_examples=200, deadline=None)
def test_both_platforms_show_the_same(markdown: str) -> None:
    """Every character that Telegram's message shows is in Discord's, and looks the same."""
    telegram = telegram_parts(markdown, limit=WHOLE, most_entities=WHOLE)
    discord = discord_parts(markdown, limit=WHOLE)
    assert len(telegram) == len(discord) <= 1
    # Where Discord takes no text for a link, its address follows in brackets.
    assume(not any("(<https" in part.text for part in discord))
    for ours, theirs in zip(discord, telegram, strict=True):
        assert inked(discord_looks(ours.text)) == inked(telegram_looks(theirs))


@pytest.mark.parametrize("is_final", [True, False])
@given(markdown=NASTY, limit=LIMITS)
@settings(max_examples=120, deadline=None)
def test_whatever_comes_renders(markdown: str, limit: int, *, is_final: bool) -> None:
    """Every text renders within Discord's rules, at every limit, finished or not."""
    for part in discord_parts(markdown, limit=limit, is_final=is_final):
        assert not problems(part.text, limit=limit)


@given(markdown=NASTY)
@settings(max_examples=30, deadline=None)
@example("# T `c` **b**\n\n1. a\n   ```py\n   x\n   ```\n> q\n\n| a | b |\n|---|---|\n| 1 | [t](h")
def test_every_prefix_renders(markdown: str) -> None:
    """An answer renders at every length it has while it grows."""
    for end in range(len(markdown) + 1):
        for part in discord_parts(markdown[:end], is_final=False):
            assert not problems(part.text)


@given(build=st.lists(BLOCKS, min_size=1, max_size=5).map(lambda b: join("\n\n", b)), limit=LIMITS)
@settings(max_examples=80, deadline=None)
def test_no_word_is_lost(build: Build, limit: int) -> None:
    """Every word a document shows stands in the messages, once and in order, and looks alike."""
    word = Words()
    markdown = build(word)
    (whole,) = discord_parts(markdown, limit=WHOLE)
    assert re.findall(r"w\d+", visible(whole.text)) == word.used
    parts = discord_parts(markdown, limit=limit)
    looks = [each for part in parts for each in inked(discord_looks(part.text))]
    assert looks == inked(discord_looks(whole.text))


@given(code=CODE | st.text(alphabet="`a \n", max_size=300), limit=LIMITS)
@settings(max_examples=80, deadline=None)
def test_cut_code_stays_code_in_its_language(code: str, limit: int) -> None:
    """Each part of a code block is a code block of that language, with its indents."""
    parts = discord_parts(f"~~~py\nstart\n{code}\nend\n~~~", limit=limit)
    lines = []
    for part in parts:
        shown = read(part.text)
        assert all(looks == {"pre", "language py"} for _, looks in shown)
        lines += visible(part.text).split("\n")
    expected = ["start", *code.split("\n"), "end"]
    if max(map(len, expected)) < limit // 3:
        assert [line.rstrip() for line in lines if line.strip()] == [
            line.rstrip() for line in expected if line.strip()
        ]


SIGNS = st.lists(
    st.sampled_from([
        "snake_case", "a|b", "#1", "x:y:z", "C:", "https://a.bc/x_y", "vector<int>", "2 * 3",
        "word\n",
    ]),
    max_size=60,
).map(" ".join)  # fmt: skip
STYLED = PROSE.map(
    lambda text: "> **" + text.replace("\n", "_x_ [y](https://a.bc/z) ~~c~~ `` ` ``")
)


def check_stability(text: str, limit: int, *, is_final: bool) -> None:
    """Check that messages stay which were followed by others as the text grows."""
    before: tuple[DiscordPart, ...] = ()
    for end in range(len(text) + 1):
        parts = discord_parts(text[:end], limit=limit, is_final=is_final)
        if before:
            assert parts[: len(before) - 1] == before[:-1]
        before = parts


@pytest.mark.parametrize("is_final", [True, False])
@given(text=PROSE | SIGNS | CODE.map(lambda code: f"Text.\n\n```py\n{code}"), limit=LIMITS)
@settings(max_examples=30, deadline=None)
def test_parts_but_the_last_stay_while_a_text_grows(
    text: str, limit: int, *, is_final: bool
) -> None:
    """A message that was followed by another does not change any more."""
    check_stability(text, limit, is_final=is_final)


@given(text=STYLED, limit=LIMITS)
@settings(max_examples=20, deadline=None)
def test_styled_parts_but_the_last_stay_while_a_text_streams(text: str, limit: int) -> None:
    """Nor does one in a quote, in bold, with links and code."""
    check_stability(text, limit, is_final=False)


@pytest.mark.parametrize("blank", ["", " ", "\n \n\t", "\u200b", "\u00a0", "\x00\x1b", "\u3164"])
def test_what_is_blank_gives_no_message(blank: str) -> None:
    """Discord refuses empty messages."""
    assert discord_parts(blank) == discord_parts(blank, is_final=False) == ()


def test_what_shows_nothing_is_shown_as_it_was_written() -> None:
    """A final answer is never silent."""
    assert visible(only("```\n```")) == "```\n```"
    assert discord_parts("```\n```", is_final=False) == ()


def test_a_long_answer_comes_as_a_file_too() -> None:
    """From the sixth message on, the last carries the whole Markdown, once the answer is whole."""
    markdown = "**word** " * 600 + "\r\n" + "word " * 1000
    parts = discord_parts(markdown)
    assert len(parts) == 6
    assert parts[-1].file == markdown.replace("\r\n", "\n")
    assert not any(part.file for part in parts[:-1])
    assert not any(part.file for part in discord_parts(markdown, is_final=False))
    assert not any(part.file for part in discord_parts(markdown[:6000]))


@pytest.mark.parametrize("content", ["word " * 1000, r"\_\*" * 3000, "\U0001f34e" * 3000])
def test_messages_are_nearly_full(content: str) -> None:
    """A message ends early for a better place, not for markup that it has not."""
    first, *_ = discord_parts(content)
    assert 1900 < units(first.text) <= 2000


@pytest.mark.parametrize("markdown", HUGE, ids=lambda text: text[:8])
@pytest.mark.timeout(30)
def test_monstrous_documents_render(markdown: str) -> None:
    """Neither depth nor breadth nor a megabyte stops the walk."""
    assert all(part.text for part in discord_parts(markdown))
    discord_parts(markdown, is_final=False)
