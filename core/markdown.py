"""Text that is not Markdown, put into texts that are."""

import re

_MARKS = re.compile(r"[\\`*_<>~|#$&]")
# With a backslash these would open and close a formula.
_BRACKETS = {ord("["): "&#91;", ord("]"): "&#93;"}
# What makes a list of a line that begins with it; a heading or a quote is caught above.
_BULLETS = re.compile(r"^(?=[-+=])|(?<=\d)(?=[.)](?:\s|$))", re.MULTILINE)

_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})[ \t]*(\S*)")


def plain(text: str) -> str:
    """Return Markdown that shows `text` as it is: a name, or what somebody said.

    Only its indents are lost, which would make code of it.
    """
    lines = "\n".join(line.strip() for line in text.splitlines())
    marked = _MARKS.sub(r"\\\g<0>", lines).translate(_BRACKETS)
    return _BULLETS.sub(r"\\", marked)


def with_end(text: str) -> str:
    """Return Markdown that may break off anywhere with its last code block closed."""
    fence = ""
    for line in text.splitlines():
        marks = _FENCE.match(line)
        if not marks:
            continue
        if not fence:
            fence = marks[1]
        elif marks[1].startswith(fence) and not marks[2]:
            fence = ""
    return f"{text}\n{fence}" if fence else text


def code(text: str) -> str:
    """Return `text`, which holds no backtick, as Markdown's code; nothing for nothing."""
    return f"`{text}`" if text else ""


def quote(text: str) -> str:
    """Return `text` as a Markdown quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())
