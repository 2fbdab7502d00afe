"""What people see of a Discord message, read by the rules of Discord's clients.

Those are simple-markdown's (github.com/Khan/perseus, packages/simple-markdown) with Discord's
own; nothing here knows how the messages are written.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

Shown = list[tuple[str, frozenset[str]]]

SEAMS = "\u200b"


@dataclass(kw_only=True)
class _State:
    """Where the reader is."""

    looks: frozenset[str] = frozenset()
    is_start: bool = True
    shown: Shown = field(default_factory=list)

    def inside(self, look: str, *, is_start: bool) -> "_State":
        return _State(looks=self.looks | {look}, is_start=is_start, shown=self.shown)

    def show(self, text: str, *looks: str) -> None:
        self.shown += [(char, self.looks.union(looks)) for char in text]


def read(content: str) -> Shown:
    """Return every character that is shown, with how it looks."""
    state = _State()
    _read(content, state)
    return state.shown


def _read(source: str, state: _State) -> None:
    while source:
        length = next(filter(None, (rule(source, state) for rule in _RULES)), 0)
        if not length:
            state.show(source[0])
            length = 1
        state.is_start = source[length - 1] == "\n" or (
            state.is_start and not source[:length].strip(" ")
        )
        source = source[length:]


def _code_block(source: str, state: _State) -> int:
    match = re.match(r"```(?:([a-z0-9_+\-.]+?)\n)?\n*([^\n][\s\S]*?)\n*```", source, re.IGNORECASE)
    if not match:
        return 0
    state.show(match[2], "pre", *([f"language {match[1]}"] if match[1] else []))
    return match.end()


def _quote(source: str, state: _State) -> int:
    if not state.is_start or "quote" in state.looks:
        return 0
    if match := re.match(r" *>>> ?([\s\S]*)", source):
        content = match[1]
    elif match := re.match(r" *> [^\n]*(?:\n *> [^\n]*)*\n?", source):
        content = re.sub(r"^ *> ?", "", match[0], flags=re.MULTILINE)
    else:
        return 0
    _read(content, state.inside("quote", is_start=True))
    return match.end()


def _heading(source: str, state: _State) -> int:
    match = re.match(r" *(#{1,3}) +(?!#)([^\n]+)\n?", source)
    if not match or not state.is_start or "link" in state.looks:
        return 0
    _read(match[2].strip(), state.inside(f"heading {len(match[1])}", is_start=True))
    state.show("\n")
    return match.end()


def _small(source: str, state: _State) -> int:
    match = re.match(r"-# +([^\n]+)\n?", source)
    if not match or not state.is_start:
        return 0
    _read(match[1], state.inside("small", is_start=True))
    return match.end()


def _list(source: str, state: _State) -> int:
    match = re.match(r" *(?:[-*+]|\d+\.) +(?=[^\n])", source)
    if not match or not state.is_start or "link" in state.looks:
        return 0
    state.show("?", "list")
    return match.end()


def _escape(source: str, state: _State) -> int:
    match = re.match(r"\\([^0-9A-Za-z\s])", source)
    if not match or (match[1] == "]" and "link" in state.looks):
        return 0
    state.show(match[1])
    return match.end()


def _address(source: str, state: _State) -> int:
    match = re.match(r"<([^: >]+:/[^ >]+)>", source) or re.match(
        r"(https?://[^\s<]+[^<.,:;\"')\]\s])", source
    )
    if not match or "link" in state.looks:
        return 0
    state.show(match[1], "address", f"to {match[1]}")
    return match.end()


def _reference(source: str, state: _State) -> int:
    match = re.match(
        r"<(?:@[!&]?\d+|#\d+|a?:\w+:\d+|t:-?\d+(?::\w)?|/[^<>]+:\d+|id:\w+)>", source
    ) or re.match(r":[^\s:]+:", source)
    if not match:
        return 0
    state.show(match[0], "reference")
    return match.end()


def _link(source: str, state: _State) -> int:
    match = re.match(
        r"\[((?:\[[^\]]*\]|[^\[\]]|\](?=[^\[]*\]))*)\]"
        r"\(\s*<?((?:\([^)]*\)|[^\s\\]|\\.)*?)>?\s*\)",
        source,
    )
    if not match or "link" in state.looks:
        return 0
    if not re.fullmatch(r"https?://[^\s<]+[^<.,:;\"')\]\s]", match[2]) or "://" in match[1]:
        return 0
    inner = state.inside("link", is_start=False)
    inner.looks |= {f"to {match[2]}"}
    _read(match[1], inner)
    return match.end()


_STYLES = {
    "italic": r"\b_((?:__|\\[\s\S]|[^\\_])+?)_\b"
    r"|\*(?=\S)((?:\*\*|\\[\s\S]|\s+(?:\\[\s\S]|[^\s\*\\]|\*\*)|[^\s\*\\])+?)\*(?!\*)",
    "bold": r"\*\*((?:\\[\s\S]|[^\\])+?)\*\*(?!\*)",
    "underline": r"__((?:\\[\s\S]|[^\\])+?)__(?!_)",
}


def _style(source: str, state: _State) -> int:
    """Read the longest of those that begin here, bold before its equals."""
    found = [(kind, match) for kind, rule in _STYLES.items() if (match := re.match(rule, source))]
    if not found:
        return 0
    kind, match = max(found, key=lambda each: (each[1].end(), each[0] == "bold"))
    text = next(filter(None, match.groups()))
    _read(text, state.inside(kind, is_start=state.is_start))
    return match.end()


def _strikethrough(source: str, state: _State) -> int:
    match = re.match(r"~~(?=\S)((?:\\[\s\S]|~(?!~)|[^\s~\\]|\s(?!~~))+?)~~", source)
    if not match:
        return 0
    _read(match[1], state.inside("strikethrough", is_start=state.is_start))
    return match.end()


def _spoiler(source: str, state: _State) -> int:
    match = re.match(r"\|\|([\s\S]+?)\|\|", source)
    if not match:
        return 0
    _read(match[1], state.inside("spoiler", is_start=False))
    return match.end()


def _code(source: str, state: _State) -> int:
    match = re.match(r"(``?)([\s\S]*?[^`])\1(?!`)", source)
    if not match:
        return 0
    state.show(re.sub(r"^ (?= *`)|(?<=`) $", "", match[2]), "code")
    return match.end()


_RULES: tuple[Callable[[str, _State], int], ...] = (
    _code_block,
    _quote,
    _heading,
    _small,
    _list,
    _escape,
    _address,
    _reference,
    _link,
    _style,
    _strikethrough,
    _spoiler,
    _code,
)
