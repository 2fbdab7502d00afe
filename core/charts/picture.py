"""The picture of a chart: what it comes to, then a card each for cost, tokens and shares."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from core.charts import Bar, Chart, Share
from core.charts.canvas import Box, Canvas
from core.charts.look import (
    BACKGROUND,
    CACHED,
    CARD,
    COST,
    FRESH,
    GAP,
    HEADLINE,
    LEFT,
    LIMIT,
    MARGIN,
    NORMAL,
    OUTPUT,
    OVER,
    RADIUS,
    RIGHT,
    ROOM,
    SHARE,
    SMALL,
    SOFT,
    STRONG,
    TITLE,
    UNKNOWN,
    WIDTH,
)
from core.charts.numerals import Scale, compact, dollar_mark, dollars, percent, scale
from core.charts.plot import (
    CORNER,
    HEADING,
    Key,
    Plot,
    draw_captions,
    draw_heading,
    draw_rules,
    draw_values,
    lay_out,
)

_HEADER = 288
_COST = 440
_TOKENS = 360
_NOTHING = 240
_SHARES = 110  # and a row for each
_ROW = 64
_MOST_ROWS = 6
_FAR = 3  # times the highest bar: a limit above that would press the bars flat


def paint(chart: Chart, folders: Sequence[Path]) -> bytes:
    """Draw a chart; see `core.charts.draw`."""
    cards: list[tuple[int, Callable[[Canvas, Chart, Box], None]]] = [(_NOTHING, _draw_nothing)]
    if any(_is_unknown(bar) or bar.cost or _tokens(bar) for bar in chart.bars):
        cards = [(_COST, _draw_cost), (_TOKENS, _draw_tokens)]
    if chart.shares:
        cards.append((_SHARES + _ROW * min(_MOST_ROWS, len(chart.shares)), _draw_shares))
    height = _HEADER + sum(height + GAP for height, _ in cards) - GAP + MARGIN
    canvas = Canvas(WIDTH, height, color=BACKGROUND, folders=folders)
    _draw_header(canvas, chart)
    top = _HEADER
    for height, draw in cards:
        card = Box(MARGIN, top, WIDTH - MARGIN, top + height)
        canvas.fill(card, CARD, radius=RADIUS)
        draw(canvas, chart, card)
        top += height + GAP
    return canvas.png()


def _draw_header(canvas: Canvas, chart: Chart) -> None:
    """Write whose usage it is and what it comes to."""
    width = canvas.write(chart.title, TITLE, (LEFT, 76), room=ROOM * 0.66)
    canvas.write(chart.subtitle, SMALL, (RIGHT, 76), align=1, room=ROOM - width - 24)
    tokens = f"{compact(sum(map(_tokens, chart.bars)))} tokens"
    cost = sum(map(_cost, chart.bars))
    headline, notes = dollars(cost), [tokens]
    if any(map(_is_unknown, chart.bars)):
        headline = f"{headline}+" if cost else tokens
        notes = [tokens, "not all priced"] if cost else ["price unknown"]
    cached, fresh = sum(map(_cached, chart.bars)), sum(map(_fresh, chart.bars))
    if cached:
        notes.insert(1, f"{percent(cached, cached + fresh)} of input cached")
    canvas.write(headline, HEADLINE, (LEFT - 5, 196), room=ROOM)
    canvas.write("  ·  ".join(notes), SOFT, (LEFT, 252), room=ROOM)


def _draw_nothing(canvas: Canvas, chart: Chart, card: Box) -> None:
    """Say that there is nothing to draw."""
    del chart
    place = (WIDTH / 2, card.top + card.height / 2 + 12)
    canvas.write("Nothing was used in this time.", SOFT, place, align=0.5, room=ROOM)


def _draw_cost(canvas: Canvas, chart: Chart, card: Box) -> None:
    """Draw what each bar cost, and the limit."""
    scale = _cost_scale(chart)
    plot = lay_out(card, axis=_axis(canvas, chart), count=len(chart.bars), scale=scale)
    draw_rules(canvas, plot, functools.partial(dollar_mark, step=scale.step))
    for place, bar in enumerate(chart.bars):
        column = plot.column(place)
        top = plot.y(_cost(bar))
        if _is_unknown(bar):
            canvas.hatch(column._replace(bottom=top), UNKNOWN, radius=CORNER)
        is_over = chart.limit is not None and _cost(bar) >= chart.limit
        parts = [(top, OVER if is_over else COST)]
        canvas.stack(column._replace(top=top), parts, radius=CORNER)
    legend = [Key(text="price unknown", color=UNKNOWN, form="hatch")]
    if not any(map(_is_unknown, chart.bars)):
        legend.clear()
    if chart.limit is not None:
        legend.append(_draw_limit(canvas, plot, chart.limit))
    draw_heading(canvas, card, "Cost", legend)
    draw_captions(canvas, plot, [bar.label for bar in chart.bars])
    texts = [dollars(_cost(bar)) + "+" * bar.is_partial for bar in chart.bars]
    draw_values(canvas, plot, [_cost(bar) for bar in chart.bars], texts)


def _draw_limit(canvas: Canvas, plot: Plot, limit: int) -> Key:
    """Draw the limit where it is on the scale, and return its entry for the legend."""
    text = f"limit {dollars(limit)}"
    if limit > plot.scale.most:
        return Key(text=f"{text} ↑", color=LIMIT, form="")
    y = plot.y(limit)
    canvas.dash(Box(plot.box.left, y - 2, plot.box.right, y + 2), LIMIT)
    return Key(text=text, color=LIMIT, form="dash")


def _draw_tokens(canvas: Canvas, chart: Chart, card: Box) -> None:
    """Draw the tokens of each bar: of the input what was cached and what was not, then output."""
    plot = lay_out(
        card, axis=_axis(canvas, chart), count=len(chart.bars), scale=_tokens_scale(chart)
    )
    draw_rules(canvas, plot, compact)
    for place, bar in enumerate(chart.bars):
        column = plot.column(place)
        top = plot.y(_tokens(bar))
        parts = [(top, OUTPUT), (plot.y(_input(bar)), FRESH), (plot.y(_cached(bar)), CACHED)]
        canvas.stack(column._replace(top=top), parts, radius=CORNER)
    sums = [sum(map(count, chart.bars)) for count in (_cached, _fresh, _output)]
    names = ("cached", "new", "output")
    legend = [
        Key(text=f"{name} {compact(count)}", color=color)
        for name, count, color in zip(names, sums, (CACHED, FRESH, OUTPUT), strict=True)
    ]
    draw_heading(canvas, card, "Tokens", legend)
    draw_captions(canvas, plot, [bar.label for bar in chart.bars])
    totals = [_tokens(bar) for bar in chart.bars]
    draw_values(canvas, plot, totals, [compact(total) for total in totals])


def _draw_shares(canvas: Canvas, chart: Chart, card: Box) -> None:
    """Draw who took most, each as a bar with its name in it."""
    shares = _shorten(chart.shares)
    is_priced = all(share.cost is not None for share in shares) and any(map(_cost, shares))
    sizes = [_cost(share) if is_priced else max(0, share.tokens) for share in shares]
    costs = [_price(share) for share in shares]
    cost_room = max(canvas.measure(text, STRONG) for text in costs)
    tokens_right = RIGHT - 16 - cost_room - 36
    tokens_room = max(canvas.measure(compact(share.tokens), SOFT) for share in shares)
    baseline = card.top + HEADING
    room = tokens_right - max(tokens_room, canvas.measure("tokens", SMALL)) - 24 - LEFT
    canvas.write(chart.heading, STRONG, (LEFT, baseline), room=room)
    canvas.write("cost", SMALL, (RIGHT - 16, baseline), align=1, room=ROOM)
    canvas.write("tokens", SMALL, (tokens_right, baseline), align=1, room=ROOM)
    for place, share in enumerate(shares):
        top = card.top + 88 + _ROW * place
        length = ROOM * sizes[place] / max(1, *sizes)
        if sizes[place] > 0:
            row = Box(LEFT, top, LEFT + max(8, length), top + _ROW - 10)
            canvas.fill(row, SHARE, radius=14)
        baseline = top + 39
        style = SOFT if share.cost is None else STRONG
        canvas.write(costs[place], style, (RIGHT - 16, baseline), align=1, room=ROOM / 3)
        text = compact(share.tokens)
        canvas.write(text, SOFT, (tokens_right, baseline), align=1, room=ROOM / 3)
        canvas.write(share.name, NORMAL, (LEFT + 18, baseline), room=room - 18)


def _shorten(shares: Sequence[Share]) -> list[Share]:
    """Return as many shares as there are rows, the last for all others."""
    if len(shares) <= _MOST_ROWS:
        return list(shares)
    rest = shares[_MOST_ROWS - 1 :]
    costs = [share.cost for share in rest if share.cost is not None]
    others = Share(
        name=f"{len(rest)} others",
        cost=sum(costs) if costs else None,
        tokens=sum(share.tokens for share in rest),
        is_partial=len(costs) < len(rest) or any(share.is_partial for share in rest),
    )
    return [*shares[: _MOST_ROWS - 1], others]


def _price(share: Share) -> str:
    if share.cost is None:
        return "unknown"
    return dollars(share.cost) + "+" * share.is_partial


def _axis(canvas: Canvas, chart: Chart) -> float:
    """Return the room for the numbers of both scales, so that bars stand below each other."""
    scale = _cost_scale(chart)
    names = [dollar_mark(value, scale.step) for value in scale.values]
    names += map(compact, _tokens_scale(chart).values)
    return max(canvas.measure(name, SMALL) for name in names) + 18


def _cost_scale(chart: Chart) -> Scale:
    highest = max(map(_cost, chart.bars))
    limit = chart.limit or 0
    return scale(max(highest, limit if limit <= highest * _FAR else 0), steps=4)


def _tokens_scale(chart: Chart) -> Scale:
    return scale(max(map(_tokens, chart.bars)), steps=3)


def _is_unknown(bar: Bar) -> bool:
    return bar.cost is None or bar.is_partial


def _cost(part: Bar | Share) -> int:
    return max(0, part.cost or 0)


def _cached(bar: Bar) -> int:
    return max(0, min(bar.cached, bar.input))


def _fresh(bar: Bar) -> int:
    return _input(bar) - _cached(bar)


def _input(bar: Bar) -> int:
    return max(0, bar.input)


def _output(bar: Bar) -> int:
    return max(0, bar.output)


def _tokens(bar: Bar) -> int:
    return _input(bar) + _output(bar)
