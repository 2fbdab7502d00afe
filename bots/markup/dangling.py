"""Close what a growing Markdown text has left open at its end, so that no marker shows."""

import re

from bots.markup.source import keep_addresses

# In characters; a longer paragraph is shown as it is.
_LONGEST = 8_000

_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})(.*)$", re.MULTILINE)
_PARTIAL_FENCE = re.compile(r"\n[ \t>]*[`~]+[ \t]*\Z")
_BLOCK = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)]|#{1,6})(?:[ \t]|\Z)|\|)")
_MARKS_ONLY = re.compile(r"(?:\A|\n)(?:[-+*=_#>`~ \t]+|[ \t>]*\|[-: \t]*|[ \t>]*\d{1,3}[.)]?)\Z")
_TABLE_HEAD = re.compile(r"(?:\A|\n)([ \t>]*\|[^\n]*)(\n[ \t>]*\|[-|: \t]*)?\Z")
_LINK = re.compile(
    r"!?\[([^\[\]\n`]{0,200})"
    r"(?:\](?:\((?:[^()\n`]|\([^()\n`]{0,200}\)){0,2000}(?:\([^()\n`]{0,200})?)?)?\Z"
)
_FORMULA = re.compile(
    r"(?:(?<!\\)(\\[(\[])((?:[^`\\\n]|\\[^()\[\]\n]|\n(?![ \t]*\n))*)\\?"
    r"|^[ \t>]*(\$\$)(?![ \t])((?:[^`$\n]|\n(?![ \t]*\n))*)\$?)\Z",
    re.MULTILINE,
)
_CLOSING = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
_DISPLAY = re.compile(r"\$\$(?:[^`$\n]|\n(?![ \t]*\n))+\$\$")
_TICKS = re.compile(r"\\`|(`+)")
_CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_EMPHASIS = re.compile(r"\\.|\*{1,3}|(?<!_)_{1,3}(?!_)|~~|~\Z", re.DOTALL)


def close_dangling(markdown: str) -> str:
    """Return the Markdown with its last block's open markers closed, or dropped if empty.

    Only the end of the text changes, and only in its markers: what may yet become a list, a
    heading, a fence, a link or a table is held back or shown as text.
    """
    is_open, fence_end = _last_fence(markdown)
    if is_open:
        return _PARTIAL_FENCE.sub("", markdown)
    tail_start = max(fence_end, len(markdown) - _LONGEST)
    tail = _hold_table(markdown[tail_start:].rstrip())
    formula = _FORMULA.search(_DISPLAY.sub(_mask, tail))
    start = _last_block(tail[: formula.start()] if formula else tail)
    if start == 0 and fence_end < tail_start:
        return markdown
    return markdown[:tail_start] + tail[:start] + _close(_MARKS_ONLY.sub("", tail[start:]))


def _last_fence(markdown: str) -> tuple[bool, int]:
    """Return whether a code block is open at the end, and where the last one ends."""
    opening, end = "", 0
    if "```" not in markdown and "~~~" not in markdown:
        return False, end
    for match in _FENCE.finditer(markdown):
        fence, info = match.groups()
        if not opening:
            opening = "" if fence[0] in info else fence
        elif fence.startswith(opening) and not info.strip():
            opening, end = "", match.end()
    return bool(opening), end


def _hold_table(tail: str) -> str:
    """Hold the head of a table back until the line below it is complete."""
    match = _TABLE_HEAD.search(tail)
    if not match or tail[: match.start()].rpartition("\n")[2].lstrip(" \t>").startswith("|"):
        return tail
    head, rule = match.groups()
    is_complete = rule and rule.endswith("|") and rule.count("|") == head.count("|")
    return tail if is_complete else tail[: match.start()]


def _last_block(tail: str) -> int:
    """Return where the last block starts: inline markers do not reach further back."""
    end = len(tail)
    while end > 0:
        start = tail.rfind("\n", 0, end) + 1
        line = tail[start:end]
        if not line.strip(" \t>"):
            return end
        if _BLOCK.match(line):
            return start
        end = start - 1
    return 0


def _close(block: str) -> str:
    """Return the block with everything closed that it leaves open."""
    text, code = _part_code(block)
    masked = keep_addresses(_DISPLAY.sub(_mask, _CODE.sub(_mask, text)))
    rest = ""
    if code.strip("`"):
        ticks = len(code) - len(code.lstrip("`"))
        rest = code.rstrip("`") + "`" * ticks
    elif match := _FORMULA.search(masked):
        opening, content = match[1] or match[3], match[2] or match[4]
        rest = match[0].rstrip("\\$") + _CLOSING[opening] if content and content.strip() else ""
        text, masked = text[: match.start()], masked[: match.start()]
    if match := _LINK.search(masked):
        label = slice(match.start(1), match.end(1))
        text, masked = (side[: match.start()] + side[label] for side in (text, masked))
    if not rest and (len(masked) - len(masked.rstrip("\\"))) % 2:
        text, masked = text[:-1], masked[:-1]
    return _close_emphasis(text, masked, rest)


def _mask(match: re.Match[str]) -> str:
    return "x" * len(match[0])


def _part_code(block: str) -> tuple[str, str]:
    """Return what stands before a code span that is still open, and that span."""
    runs = [match for match in _TICKS.finditer(block) if match[1]]
    last = {match[1]: index for index, match in enumerate(runs)}
    index = 0
    while index < len(runs):
        run = runs[index][1]
        if last[run] == index:
            return block[: runs[index].start()], block[runs[index].start() :]
        index = next(i for i in range(index + 1, len(runs)) if runs[i][1] == run) + 1
    return block, ""


def _close_emphasis(text: str, masked: str, rest: str) -> str:
    """Return `text` and `rest` with the emphasis closed that `text` leaves open.

    Args:
        text: What may leave emphasis open.
        masked: The same, as long, without code.
        rest: What follows it.
    """
    stack: list[tuple[str, int]] = []
    end = len(text)
    for match in _EMPHASIS.finditer(masked):
        mark, count = match[0][0], len(match[0])
        if mark == "\\":
            continue
        before = masked[match.start() - 1 : match.start()] or " "
        after = (masked + rest)[match.end() : match.end() + 1]
        if not before.isspace() and _take(stack, mark, count, is_last=not after):
            continue
        if not after:
            end = match.start()
        elif not after.isspace() and match[0] != "~" and not _is_word(before):
            stack.append((mark, count))
    text = text[:end] + rest
    closers = "".join(mark * count for mark, count in reversed(stack))
    return text.rstrip() + closers if closers else text


def _is_word(char: str) -> bool:
    """Whether a marker behind it more likely belongs to a name or a sum than begins emphasis."""
    return char.isascii() and char.isalnum()


def _take(stack: list[tuple[str, int]], mark: str, count: int, *, is_last: bool) -> bool:
    """Close with a run of marks what it closes; False if that is nothing.

    A run closes a longer one in part: `***` by and by, any other at the end of the text, where
    the rest of the run is about to come.
    """
    for index in range(len(stack) - 1, -1, -1):
        opened, width = stack[index]
        if opened == mark and (width <= count or width == 3 or is_last):  # noqa: PLR2004
            del stack[index:]
            if width > count:
                stack.append((mark, width - count))
            elif width < count:
                _take(stack, mark, count - width, is_last=is_last)
            return True
    return False
