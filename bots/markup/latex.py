"""LaTeX -> the same formula in Unicode, as a person would type it in a chat.

latex2mathml reads it; here what it read is written: `∑ᵢ₌₁ⁿ i = n(n + 1)/2`.
"""

import functools
import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# In characters. Nobody reads longer formulas; they stay LaTeX.
_LONGEST = 1_000

# What latex2mathml 3.81 raises for LaTeX that is wrong or breaks off, besides its own errors,
# which share no base: found by feeding it rubbish. RecursionError is a RuntimeError.
_WRONG = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)

# What it takes for something else, and how to say it so that it does not.
_REWORDED = (
    (
        re.compile(r"\\(?:label|[hv]space)\*?\s*\{[^{}]*\}|\\(?:nonumber|notag|(?:no)?limits)\b"),
        "",
    ),
    (
        re.compile(
            r"(\\(?:begin|end))\s*\{(?:align|aligned|split|gathered|multline|equation)\*?\}"
        ),
        r"\1{align*}",
    ),
    (re.compile(r"\\\\\s*\[[^\[\]]*\]"), r"\\\\"),
    (re.compile(r"\\[lr]vert\b"), "|"),
    (re.compile(r"\\[lr]Vert\b"), r"\\Vert "),
)
_DELIMITED = re.compile(r"\$\$(.*)\$\$|\$(.*)\$|\\\((.*)\\\)|\\\[(.*)\\\]|(\\begin.*)", re.DOTALL)
_STRUCK = re.compile("\u29f8( ?)(.)")
_QUOTED = re.compile(r"\\([%$&#_{}])")

_SUMS = frozenset("∑∏∐∫∬∭∮\u22c3⋂⨁⨂\u22c1⋀")
# Unicode has them among the signs, but they belong to what follows or stand for something.
_NO_SIGNS = frozenset("∀∂∃∄∅∆∇√∛∜∞¬∟∠∡∢⋮⋯⋰⋱⌈⌉⌊⌋|~/°\u29f8△▲□") | _SUMS
_DIVIDES = "\u2223"
_SIGNS = frozenset("·⋅")
_UNARY = frozenset("+\u2212±∓")
_OPENING, _CLOSING, _BARS = frozenset("([{⟨⌈⌊"), frozenset(")]}⟩⌉⌋"), frozenset("|‖")
_ACCENTS = {
    "^": "\u0302",
    "¯": "\u0304",
    "‾": "\u0305",
    "―": "\u0305",
    "→": "\u20d7",
    "~": "\u0303",
    "˙": "\u0307",
    "¨": "\u0308",
    "⏞": "",
    "⏟": "",
}
# A line over more letters is left out, as fonts draw it with gaps. What is longer than a script
# is not set small, nor are words: they are hard to read.
_LONGEST_LINE, _LONGEST_SCRIPT, _WORD = 3, 5, 4


def _raised(tag: str) -> dict[str, str]:
    """Return the characters that Unicode has as `<super>` or `<sub>`, with what they become."""
    found: dict[str, str] = {}
    places = (0xB2, 0xB3, 0xB9, *range(0x2B0, 0x2B9), *range(0x1D2C, 0x1DC0))
    for place in (*places, *range(0x2070, 0x209D), 0x2C7C):
        kind, _, letter = unicodedata.decomposition(chr(place)).partition(" ")
        if kind == tag and " " not in letter:
            found.setdefault(chr(int(letter, 16)), chr(place))
    return found


_ABOVE, _BELOW = _raised("<super>"), _raised("<sub>")
_RAISED = "".join({*_ABOVE.values(), *_BELOW.values()}) + "\u2032″‴°"

# What needs no parentheses above a stroke; below it; before an exponent.
_PRODUCT = re.compile(r"(?:[^\s()+\u2212±/=,;]|\([^()]*\))+")
_FACTOR = re.compile(rf"√?(?:[d∂Δδ]?[^\W\d_]|\d+(?:\.\d+)?)[{_RAISED}\u0300-\u036f]*|∞")
_CALL = re.compile(rf"[^\W\d_]*[{_RAISED}]*\([^()]*\)|\[[^\[\]]*\]|\|[^|]*\|")


@functools.lru_cache(maxsize=2048)
def readable(formula: str) -> str:
    """Return a formula in Unicode; nothing if it is wrong, breaks off or is too long.

    Its rows stand on lines of their own, lined up as the LaTeX says.

    Args:
        formula: LaTeX with its delimiters.
    """
    match = _DELIMITED.fullmatch(formula)
    if not match or len(formula) > _LONGEST:
        return ""
    latex = next(filter(None, match.groups()), "")
    for pattern, instead in _REWORDED:
        latex = pattern.sub(instead, latex)
    convert, errors = _reader()
    try:
        text = _write(convert(latex)).text
    except errors:
        return ""
    if "\\" in text:
        return ""
    return unicodedata.normalize("NFC", _STRUCK.sub("\\1\\2\u0338", _line_up(text)))


@functools.cache
def _reader() -> "tuple[Callable[[str], Element], tuple[type[Exception], ...]]":
    """Return what reads LaTeX as MathML, and what it may raise."""
    from latex2mathml import converter, exceptions  # noqa: PLC0415 - 0.1 s

    own = [each for each in vars(exceptions).values() if isinstance(each, type)]
    return converter.convert_to_element, (*_WRONG, *own)


def _line_up(text: str) -> str:
    """Return rows whose parts before the first tab end at the same column."""
    import wcwidth  # noqa: PLC0415 - its tables take 2 MB

    rows = [[" ".join(cell.split()) for cell in row.split("\t")] for row in text.split("\n")]
    width = max((wcwidth.wcswidth(row[0]) for row in rows if len(row) > 1), default=0)
    lines = []
    for first, *rest in rows:
        blanks = " " * (width - wcwidth.wcswidth(first)) if rest else ""
        lines.append(blanks + " ".join([first, *rest]))
    return "\n".join(line.rstrip() for line in lines if line.strip())


_Kind = Literal["sign", "sum", "word", "comma", "fraction", "blank", "table", "plain"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part of a formula.

    Attributes:
        kind: What distance it keeps: `sign` stands apart from both sides, `sum` from what it
            is put before, `word` from other words and numbers, `comma` from what follows,
            `fraction` from every factor.
    """

    text: str
    kind: _Kind = "plain"


def _write(element: "Element", *, is_tight: bool = False) -> _Piece:
    """Return what an element of MathML says; one without a rule here is a row of others."""
    if writer := _WRITERS.get(element.tag):
        return writer(element)
    if len(element) == 0:
        return _leaf(element.tag, _text(element))
    return _row(element, is_tight=is_tight)


def _text(element: "Element") -> str:
    """Return what an element itself says: latex2mathml leaves references to characters there."""
    return html.unescape(element.text or "").replace("\u00a0", " ")


def _leaf(tag: str, text: str) -> _Piece:
    if tag == "mtext":
        return _Piece(text=_QUOTED.sub(r"\1", text.replace("$", "")))
    if text in (",", ";", ":") and tag != "mo":
        return _Piece(text=text)
    return _Piece(text="|" if text == _DIVIDES else text, kind=_kind(text))


def _kind(text: str) -> _Kind:
    if text in _SUMS:
        return "sum"
    if text in (",", ";", ":"):
        return "comma"
    if len(text) > 1 and text.isalpha():
        return "word"
    is_sign = len(text) == 1 and text not in _NO_SIGNS
    if is_sign and (text in _SIGNS or unicodedata.category(text) in ("Sm", "So")):
        return "sign"
    return "plain"


def _row(elements: "Iterable[Element]", *, is_tight: bool = False) -> _Piece:
    """Return what stands side by side, without blanks at signs if it is tight."""
    pieces = [piece for each in elements if (piece := _write(each, is_tight=is_tight)).text]
    if len(pieces) == 1:
        return pieces[0]
    written, before = "", _Piece(text="(")
    for piece in pieces:
        after = _beside(before, piece)
        written += " " + after.text if _is_apart(before, after, is_tight=is_tight) else after.text
        before = after
    is_word = len(written) > 1 and written.isalpha()
    return _Piece(text=written, kind="word" if is_word else "plain")


def _beside(before: _Piece, piece: _Piece) -> _Piece:
    """Return a piece as it is behind another: a table in brackets, the sign of a number."""
    if piece.kind == "table" and before.text[-1] in _OPENING | _BARS:
        return _Piece(text=_one_line(piece.text))
    is_first = before.kind in ("sign", "comma") or before.text[-1] in _OPENING
    return _Piece(text=piece.text) if piece.text in _UNARY and is_first else piece


def _is_apart(before: _Piece, after: _Piece, *, is_tight: bool) -> bool:
    """Whether a blank stands between two pieces."""
    kinds = {before.kind, after.kind}
    first, last = after.text[0], before.text[-1]
    if "blank" in kinds or last in _OPENING or first in _CLOSING or after.kind == "comma":
        return False
    if before.kind == "comma":
        is_thousand = len(after.text) == 3 and after.text.isdigit()  # noqa: PLR2004
        return not is_tight and not is_thousand
    if "sign" in kinds:
        return not is_tight
    if kinds & {"word", "fraction"}:
        is_call = before.kind == "word" and first == "(" and last != ")"
        return not is_call and last not in _BARS | _UNARY
    return before.kind == "sum" and not is_tight


def _blank(element: "Element") -> _Piece:
    if element.get("linebreak"):
        return _Piece(text="\n", kind="blank")
    is_back = element.get("width", "").startswith(("-", "neg"))
    return _Piece(text="" if is_back else " ", kind="blank")


def _nothing(_: "Element") -> _Piece:
    return _Piece(text="")


def _table(element: "Element") -> _Piece:
    """Return rows parted by newlines, of cells parted by tabs."""
    rows = []
    for row in element:
        cells = (_one_line(_row(cell).text).replace("\t", " ") for cell in row)
        rows.append("\t".join(cells))
    return _Piece(text="\n".join(rows), kind="table")


def _one_line(text: str) -> str:
    rows = (row.split("\t") for row in text.split("\n"))
    return "; ".join(", ".join(cell.strip().rstrip(",") for cell in row) for row in rows)


def _fraction(element: "Element") -> _Piece:
    above, below = map(_write, element)
    if element.get("linethickness") == "0":
        return _Piece(text=f"{above.text} choose {below.text}")
    is_product = above.kind == "word" or _PRODUCT.fullmatch(above.text)
    top = above.text if is_product else _bracketed(above.text)
    return _Piece(text=f"{top}/{_factor(below)}", kind="fraction")


def _root(element: "Element") -> _Piece:
    return _Piece(text=f"√{_under_root(_row(element))}")


def _nth_root(element: "Element") -> _Piece:
    base, index = map(_write, element)
    return _Piece(text=f"{_script(index.text, _ABOVE, '')}√{_under_root(base)}")


def _under_root(base: _Piece) -> str:
    return _bracketed(base.text) if base.text.startswith("√") else _factor(base)


def _scripts(element: "Element") -> _Piece:
    """Return something with what stands below or above it, at its corner or its middle."""
    base, tag = _write(element[0]), element.tag
    accent = _ACCENTS.get(_text(element[1]))
    if tag in ("munder", "mover") and accent is not None:
        return replace(base, text=_accented(base.text, accent) if tag == "mover" else base.text)
    is_group = base.kind in ("plain", "fraction") and len(element[0]) > 0
    text = _factor(base) if is_group else base.text
    sides = {"msub": "_", "munder": "_", "msup": "^", "mover": "^"}.get(tag, "_^")
    for child, mark in zip(element[1:], sides, strict=False):
        script = _write(child, is_tight=True).text.replace("\n", ",").strip()
        text += _script(script, _BELOW if mark == "_" else _ABOVE, mark)
    return replace(base, text=text)


def _script(text: str, letters: dict[str, str], mark: str) -> str:
    """Return what stands above or below as small characters, or behind its mark."""
    if text == "∘" and mark == "^":
        return "°"
    if not text or all(char in "\u2032″‴" for char in text):
        return text
    is_word = len(text) >= _WORD and text.isalpha()
    is_short = len(text) <= _LONGEST_SCRIPT or text.isdigit()
    if is_short and not is_word and all(char in letters for char in text):
        return "".join(map(letters.__getitem__, text))
    return mark + (text if is_word or len(text) == 1 else _bracketed(text))


def _accented(text: str, accent: str) -> str:
    if accent and (len(text) == 1 or (accent == "\u0305" and len(text) <= _LONGEST_LINE)):
        return "".join(char + accent for char in text)
    return text


def _factor(piece: _Piece) -> str:
    """Return a piece in brackets unless it holds together without."""
    text = piece.text
    is_whole = piece.kind == "word" or _FACTOR.fullmatch(text) or _CALL.fullmatch(text)
    return text if is_whole else _bracketed(text)


def _bracketed(text: str) -> str:
    """Return a text in brackets, unless its first one closes with its last."""
    depth = 0
    for place, char in enumerate(text):
        depth += (char in _OPENING) - (char in _CLOSING)
        if depth == 0:
            return text if 0 < place == len(text) - 1 else f"({text})"
    return f"({text})"


_WRITERS: dict[str, Callable[["Element"], _Piece]] = {
    "mspace": _blank,
    "mphantom": _nothing,
    "mtable": _table,
    "mfrac": _fraction,
    "msqrt": _root,
    "mroot": _nth_root,
    **dict.fromkeys(("msub", "msup", "msubsup", "munder", "mover", "munderover"), _scripts),
}
