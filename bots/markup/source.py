"""Markdown as the model wrote it -> Markdown that parses as it was meant.

Models write `vector<int>` and mean the text, and LaTeX whose backslashes and stars Markdown
would eat. Both are replaced by noncharacters, which Unicode reserves for such use inside a
program, before parsing and put back after it. So are the low lines of addresses, which Markdown
would take for emphasis.
"""

import re
import unicodedata
from dataclasses import dataclass

_LESS, _LOW_LINE = "\ufdd2", "\ufdd3"
# Counts as a blank for the parser; `clean` leaves none of the source's own.
_EDGE = "\u2029"
_FORMULA = re.compile("\ufdd0(\\d{1,9})\ufdd1")

# What Telegram drops or blanks, by which offsets would shift: tdlib, clean_input_string
# (td/telegram/misc.cpp, 2026); and our own replacements. Tabs are left to the parser.
_BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\u2028-\u202e\u030a\u0333\u033f\ufdd0-\ufdd3]"
)
_INSTEAD = dict.fromkeys("\x0b\x0c\r\u2028\u2029", "\n") | dict.fromkeys(
    "\ufdd0\ufdd1\ufdd2\ufdd3", "\ufffd"
)

# Each begins with the character it looks for, by which a search is several times faster.
_TAG = re.compile(
    r"<(?<!\\<)(?<!\]\(<)(?<!\]: <)(?!(?:https?://|mailto:)[^\s<>]*>|[\w.+-]+@[\w.-]+>)"
)
_INSIDE = r"(?:[^`\\\n]|\\[^()\[\]\n]|\n(?![ \t]*\n))+?"
# LaTeX with its delimiters.
MATH = re.compile(
    rf"\\(?<!\\\\)(?:\({_INSIDE}\\\)|\[{_INSIDE}\\\]"
    r"|begin\{((?:align|equation|gather|multline)\*?)\}"
    r"(?:(?!\\begin\{\1)[^`\n]|\n(?![ \t]*\n))+?\\end\{\1\})"
    r"|\$(?:(?<![\\$]\$)\$(?:[^`$\n]|\n(?![ \t]*\n))+\$\$"
    # Dollars are money unless they hug what is between them and no word hugs them; what
    # starts like a price must show a sign of LaTeX.
    r"|(?<![\w$\\]\$)(?![\s$])(?!\d[^\\^_{=$\n]*\$)(?:[^`$\\\n]|\\[^\n])+(?<![\s\\])\$(?![\w$]))"
)

# An address as far as it may hold low lines: neither what closes emphasis around it nor what
# may follow it in a sentence.
_ADDRESS = re.compile(
    r"https?://[^\s<>\"'\\`*|()\[\]\x7f-\U0010ffff]*[^\s<>\"'\\`*|()\[\]\x7f-\U0010ffff_~.,:;!?]"
)

# Markdown takes `**` beside a sign for no marker when a letter hugs its other side, as it does
# in Chinese or Japanese, which put no blanks there.
_TIGHT = re.compile(r"([^\W\x00-\x7f]?)(\*\*(?!\s)[^*\n]+(?<!\s)\*\*)(?=([^\W\x00-\x7f]?))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Markdown to parse.

    Attributes:
        formulas: LaTeX that was taken out, delimiters included.
    """

    markdown: str
    formulas: tuple[str, ...]

    def restore(self, text: str) -> str:
        """Put back what was replaced in a piece of the document."""
        text = _put_back(text)
        return _FORMULA.sub(self._formula, text) if "\ufdd0" in text else text

    def pieces(self, text: str) -> list[tuple[str, bool]]:
        """Return the restored text in pieces, each with whether it is a formula."""
        text = _put_back(text)
        if "\ufdd0" not in text:
            return [(text, False)]
        pieces = []
        end = 0
        for match in _FORMULA.finditer(text):
            pieces += [(text[end : match.start()], False), (self._formula(match), True)]
            end = match.end()
        return [*pieces, (text[end:], False)]

    def _formula(self, match: re.Match[str]) -> str:
        index = int(match[1])
        return self.formulas[index] if index < len(self.formulas) else "\ufffd"


def clean(text: str) -> str:
    """Return `text` without what a platform refuses, drops or shows as nothing.

    Line ends become newlines; lone surrogates and what is reserved here become U+FFFD;
    control characters, overrides of the writing direction and three rare marks disappear.
    """
    if not _BAD.search(text):
        return text
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "\u030a" in text:
        text = unicodedata.normalize("NFC", text)
    return _BAD.sub(lambda match: _INSTEAD.get(match[0], ""), text.replace("\r\n", "\n"))


def prepare(markdown: str) -> Prepared:
    """Clean the Markdown, take formulas out, and make every `<` that opens no link a letter."""
    markdown = clean(markdown)
    formulas: list[str] = []

    def take(match: re.Match[str]) -> str:
        formulas.append(match[0])
        return f"\ufdd0{len(formulas) - 1}\ufdd1"

    if "$" in markdown or "\\" in markdown:
        markdown = MATH.sub(take, markdown)
    if "://" in markdown:
        markdown = keep_addresses(markdown)
    if "<" in markdown:
        markdown = _TAG.sub(_LESS, markdown)
    if "**" in markdown and not markdown.isascii():
        markdown = _TIGHT.sub(_loosen, markdown)
    return Prepared(markdown=markdown, formulas=tuple(formulas))


def _put_back(text: str) -> str:
    return text.replace(_LESS, "<").replace(_LOW_LINE, "_").replace(_EDGE, "")


def keep_addresses(markdown: str) -> str:
    """Return the Markdown, as long as it was, with the low lines of addresses made letters."""
    return _ADDRESS.sub(lambda match: match[0].replace("_", _LOW_LINE), markdown)


def _loosen(match: re.Match[str]) -> str:
    before, bold, after = match.groups()
    left = _EDGE if before and not bold[2].isalnum() else ""
    right = _EDGE if after and not bold[-3].isalnum() else ""
    return before + left + bold + right
