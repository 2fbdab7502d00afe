"""A table, as aligned columns where a phone can show them, else as a list."""

from collections.abc import Sequence

from bots.markup.styled import Sheet, Styled

# What a phone held upright shows of monospaced text in one line, roughly.
_WIDEST = 36
_GAP = "  "

Row = list[Styled]


def write_table(sheet: Sheet, head: Row, rows: list[Row], alignments: Sequence[str]) -> None:
    """Write a table.

    Args:
        sheet: Where to.
        head: Header cells; may be empty texts.
        rows: As many cells each as `head`.
        alignments: `Left`, `Center`, `Right` or `None` of each column.
    """
    texts = [[cell.text.replace("\n", " ") for cell in row] for row in (head, *rows)]
    if len(head) > _WIDEST // 2 or not (widths := _measure(texts)):
        _write_list(sheet, head, rows)
        return
    lines = [_line(row, widths, alignments) for row in texts]
    rule = _GAP.join("─" * width for width in widths)
    lines = [lines[0], rule, *lines[1:]] if any(texts[0]) else lines[1:]
    sheet.write_code("\n".join(lines), "pre")


def _measure(texts: list[list[str]]) -> list[int] | None:
    widths = [max(1, *(_width(text) for text in column)) for column in zip(*texts, strict=True)]
    return widths if sum(widths) + len(_GAP) * (len(widths) - 1) <= _WIDEST else None


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    import wcwidth  # noqa: PLC0415 - its tables take 2 MB

    return max(0, wcwidth.wcswidth(text))


def _line(row: list[str], widths: list[int], alignments: Sequence[str]) -> str:
    cells = (
        _pad(text, width - _width(text), alignment)
        for text, width, alignment in zip(row, widths, alignments, strict=True)
    )
    return _GAP.join(cells).rstrip()


def _pad(text: str, blanks: int, alignment: str) -> str:
    left = {"Right": blanks, "Center": blanks // 2}.get(alignment, 0)
    return " " * left + text + " " * (blanks - left)


def _write_list(sheet: Sheet, head: Row, rows: list[Row]) -> None:
    if not rows:
        rows, head = [head], [Styled(text="")] * len(head)
    for number, row in enumerate(rows):
        sheet.end_line(2)
        for name, cell in zip(head, row, strict=True):
            # The first row names every column, so that no heading is lost.
            if cell.text or (name.text and not number):
                _write_field(sheet, name, cell)
                sheet.end_line(1)


def _write_field(sheet: Sheet, name: Styled, cell: Styled) -> None:
    if name.text:
        sheet.open("bold")
        sheet.write(f"{name.text}:")
        sheet.close("bold")
        if cell.text:
            sheet.write(" ")
    sheet.paste(cell)
