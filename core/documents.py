"""Text files that people send: which files are, and what the model reads of them."""

import codecs
import re

from core.errors import FetchError
from core.markdown import plain

LARGEST_BYTES = 256 << 10  # some 60,000 tokens: as much as any memory takes

# Media types that are text although they do not begin with text/, without x- and suffixes.
_TYPES = {
    "javascript",
    "json",
    "ld+json",
    "sh",
    "sql",
    "toml",
    "typescript",
    "xhtml+xml",
    "xml",
    "yaml",
}
_NAMES = re.compile(
    r"(?:\.(?:txt|text|md|markdown|rst|log|csv|tsv|jsonl?|ya?ml|toml|ini|cfg|conf|env|xml|html?|css"
    r"|svg|tex|srt|vtt|diff|patch|py|ipynb|js|mjs|cjs|ts|jsx|tsx|c|h|cc|cpp|hpp|cs|java|kt|go|rs"
    r"|rb|php|pl|lua|r|jl|swift|scala|hs|ml|clj|ex|exs|erl|sh|bash|zsh|fish|ps1|bat|sql|asm"
    r"|gradle|tf|proto)|(?:^|\.)(?:dockerfile|makefile))$",
    re.IGNORECASE,
)
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FENCES = re.compile(r"`{3,}")
# In no text, whatever its encoding; tabs, form feeds and escapes are.
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def is_text(mime: str, name: str) -> bool:
    """Say whether a file is likely to be text, by its media type and its name."""
    family, _, kind = mime.partition(";")[0].strip().lower().partition("/")
    if kind == "rtf":
        return False
    return family == "text" or kind.removeprefix("x-") in _TYPES or bool(_NAMES.search(name))


def read(data: bytes, name: str) -> str:
    """Return what a text file says, in a frame that the model can tell from the question.

    Raises:
        FetchError: It is no text, too large, or empty; in Markdown.
    """
    if len(data) > LARGEST_BYTES:
        raise FetchError(too_large(name))
    try:
        text = _decoded(data)
    except UnicodeDecodeError:
        shown = plain(name)
        raise FetchError(f"I cannot read the file {shown}: it is no text in UTF-8.") from None
    if not text.strip() or "\0" in text:
        raise FetchError(f"I cannot read the file {plain(name)}: there is no text in it.")
    text = text.strip("\r\n")
    longest = max((len(fence) for fence in _FENCES.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"The file {name}:\n\n{fence}\n{text}\n{fence}"


def _decoded(data: bytes) -> str:
    """Return the text in UTF-8, damaged in places maybe, or as Windows has it in Western Europe.

    Raises:
        UnicodeDecodeError: It is neither, nor marked as UTF-16.
    """
    encoding = next((e for mark, e in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode(encoding, "replace")
        broken = text.count("\ufffd")
        # Where few letters of a text are no ASCII, such as in a table that Excel has saved, what
        # is no UTF-8 is Windows-1252; Cyrillic or Chinese would come out as nonsense.
        if _CONTROLS.search(data) or broken * 4 > len(data):
            raise
        is_damaged = len(text) - len(text.encode("ascii", "ignore")) > 2 * broken
        return text if is_damaged else data.decode("cp1252")


def too_large(name: str) -> str:
    """Return, in Markdown, what to say of a file with more bytes than are read."""
    return f"The file {plain(name)} is too large: I read at most {LARGEST_BYTES >> 10} KB of text."
