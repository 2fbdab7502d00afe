"""Text that is not Markdown, put into texts that are."""

import re

_MARKS = re.compile(r"[\\`*_<>~|#$&]")
# With a backslash these would open and close a formula.
_BRACKETS = {ord("["): "&#91;", ord("]"): "&#93;"}
# What makes a list of a line that begins with it; a heading or a quote is caught above.
_BULLETS = re.compile(r"^(?=[-+=])|(?<=\d)(?=[.)](?:\s|$))", re.MULTILINE)

# What stands before a fence, the fence, and what is said behind it.
_FENCE = re.compile(r"([ >]*(?:(?:[-*+]|\d{1,9}[.)]) +)*)(`{3,}|~{3,})(.*)")
_BULLET = re.compile(r"[^ >]")


def plain(text: str) -> str:
    """Return Markdown that shows `text` as it is: a name, or what somebody said.

    Only its indents are lost, which would make code of it.
    """
    lines = "\n".join(line.strip() for line in text.splitlines())
    marked = _MARKS.sub(r"\\\g<0>", lines).translate(_BRACKETS)
    return _BULLETS.sub(r"\\", marked)


def with_end(text: str) -> str:
    """Return Markdown that may break off anywhere with its last code block closed.

    Code in a list or a quote is closed there: at the margin, its end would begin another.
    """
    fence = margin = ""
    for line in text.splitlines():
        edge = line[: len(line) - len(line.lstrip(" >"))]
        if line.strip() and len(edge) < len(margin):
            fence = margin = ""  # with the list or the quote
        marks = _FENCE.match(line)
        if marks and not fence and marks[2][0] not in marks[3]:
            margin, fence = _BULLET.sub(" ", marks[1]), marks[2]
        elif marks and fence and marks[1] == edge and _is_end(marks, margin, fence):
            fence = margin = ""
    return f"{text}\n{margin}{fence}" if fence else text


def _is_end(marks: re.Match[str], margin: str, fence: str) -> bool:
    is_beside = marks[1].count(">") == margin.count(">") and len(marks[1]) < len(margin) + 4
    return is_beside and marks[2].startswith(fence) and not marks[3].strip()


def code(text: str) -> str:
    """Return `text`, which holds no backtick, as Markdown's code; nothing for nothing."""
    return f"`{text}`" if text else ""


def quote(text: str) -> str:
    """Return `text` as a Markdown quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())
