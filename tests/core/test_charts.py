"""The picture of what was spent, looked at pixel by pixel."""

import io
import itertools
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from core import charts
from core.charts import Bar, Chart, Share, look, plot
from core.charts.lettering import Color
from tests.fonts import write_font

DOLLAR = 1_000_000
PLOT = 234  # px: how high a bar of cost can be
HEADINGS = 90  # px: from the top of a card to what is drawn below its heading
Box = tuple[int, int, int, int]


def picture(chart: Chart, folders: tuple[Path, ...] = ()) -> Image.Image:
    """Draw a chart with our own font only, so that it is the same on every machine."""
    image = Image.open(io.BytesIO(charts.draw(chart, folders=folders)))
    return image.convert("RGB")


def month(*costs: int | None, limit: int | None = None, shares: tuple[Share, ...] = ()) -> Chart:
    """Return a chart of days that cost so much."""
    bars = [
        Bar(label=str(day), cost=cost, input=cost or 0, output=(cost or 0) // 4)
        for day, cost in enumerate(costs, 1)
    ]
    return Chart(title="Me", subtitle="May", bars=bars, limit=limit, shares=shares)


def where(image: Image.Image, color: Color) -> Image.Image:
    """Return a mask of the pixels of exactly that colour."""
    difference = ImageChops.difference(image, Image.new("RGB", image.size, color))
    red, green, blue = difference.split()
    most = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    return most.point([255] + [0] * 255)


def found(image: Image.Image, color: Color) -> list[Box]:
    """Return the bounds of what has a colour, one for each group that has columns of its own."""
    mask = where(image, color)
    across, _ = mask.getprojection()
    boxes = []
    for is_there, group in itertools.groupby(enumerate(across), key=lambda item: bool(item[1])):
        columns = [place for place, _ in group]
        bounds = mask.crop((columns[0], 0, columns[-1] + 1, mask.height)).getbbox()
        if is_there and bounds:
            boxes.append((columns[0], bounds[1], columns[-1] + 1, bounds[3]))
    return boxes


def cards(image: Image.Image) -> list[Image.Image]:
    """Return what is in each card below its heading."""
    edge = where(image, look.CARD).crop((look.LEFT - 18, 0, look.LEFT - 17, image.height))
    _, down = edge.getprojection()
    parts = []
    for is_there, group in itertools.groupby(enumerate(down), key=lambda item: bool(item[1])):
        rows = [place for place, _ in group]
        if is_there:
            parts.append(image.crop((look.LEFT, rows[0] + HEADINGS, look.RIGHT + 24, rows[-1])))
    return parts


def height(box: Box) -> int:
    """Return how high a box is."""
    return box[3] - box[1]


def test_bars_are_as_high_as_the_costs() -> None:
    """Heights are to each other as the amounts are, and stand on one line, left to right."""
    cost, *_ = cards(picture(month(DOLLAR, 4 * DOLLAR, 2 * DOLLAR)))
    bars = found(cost, look.COST)
    assert [height(bar) for bar in bars] == pytest.approx([PLOT / 4, PLOT, PLOT / 2], abs=1)
    assert len({bar[3] for bar in bars}) == 1
    widths = {bar[2] - bar[0] for bar in bars}
    assert max(widths) <= plot.WIDEST_BAR
    assert max(widths) - min(widths) <= 1


def test_a_day_without_use_is_a_gap_and_a_cent_is_not() -> None:
    """Zero leaves its place empty; the smallest amount beside a large one can be seen."""
    cost, *_ = cards(picture(month(9 * DOLLAR, 0, 1, 0, 9 * DOLLAR)))
    bars = found(cost, look.COST)
    assert [height(bar) for bar in bars] == pytest.approx(
        [PLOT * 0.9, plot.SLIVER, PLOT * 0.9], abs=1
    )
    steps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(bars)]
    assert steps[0] == pytest.approx(steps[1], abs=2)
    assert steps[0] > 2 * plot.WIDEST_BAR


def test_the_limit_is_where_a_bar_of_that_amount_ends() -> None:
    """The broken line lies at the limit; bars that reach it have another colour."""
    cost, *_ = cards(picture(month(DOLLAR, 2 * DOLLAR, 3 * DOLLAR, limit=2 * DOLLAR)))
    reached, beyond = found(cost, look.OVER)
    assert [height(bar) for bar in found(cost, look.COST)] == pytest.approx([PLOT / 3], abs=1)
    assert [height(reached), height(beyond)] == pytest.approx([PLOT * 2 / 3, PLOT], abs=1)
    dashes = found(cost, look.LIMIT)
    assert len(dashes) > 10
    [middle] = {(dash[1] + dash[3]) / 2 for dash in dashes}
    assert middle == pytest.approx(reached[1], abs=2)


def test_a_limit_far_away_does_not_press_the_bars_flat() -> None:
    """It is only named; the bars are as high as without it."""
    far = picture(month(DOLLAR, 2 * DOLLAR, limit=1_000 * DOLLAR))
    none = picture(month(DOLLAR, 2 * DOLLAR))
    assert found(far, look.LIMIT) == []
    assert cards(far) == cards(none)
    assert far != none


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_of_nothing_is_at_the_bottom(limit: int) -> None:
    """Whatever costs anything has reached it."""
    cost, *_ = cards(picture(month(0, DOLLAR, limit=limit)))
    assert len(found(cost, look.OVER)) == 1
    assert found(cost, look.COST) == []


def test_what_has_no_price_is_hatched() -> None:
    """An unknown cost fills its place with stripes, a partly known one the part above it."""
    bars = [
        Bar(label="1", cost=None, input=500),
        Bar(label="2"),
        Bar(label="3", cost=DOLLAR, is_partial=True, input=500),
        Bar(label="4", cost=2 * DOLLAR, input=500),
    ]
    cost, *_ = cards(picture(Chart(title="Me", subtitle="May", bars=bars)))
    slot = cost.width / 4
    stripes = where(cost, look.UNKNOWN)
    known = found(cost, look.COST)
    # The axis takes the first of the room, so the places lie a little to the right.
    unknown, nothing, part, whole = (
        stripes.crop((int(60 + slot * place * 0.93), 0, int(60 + slot * (place + 1) * 0.93), 500))
        for place in range(4)
    )
    assert nothing.getbbox() is None
    assert whole.getbbox() is None
    below, above = unknown.getbbox(), part.getbbox()
    assert below
    assert above
    assert height(below) == pytest.approx(PLOT, abs=2)
    assert above[3] == pytest.approx(known[0][1], abs=2)
    covered = unknown.crop(below).histogram()[255] / (height(below) * (below[2] - below[0]))
    assert 0.2 < covered < 0.6


def test_a_partly_known_cost_at_the_top_has_nothing_above() -> None:
    """Where the known part fills the plot there is no room for stripes, and nothing fails."""
    bars = [Bar(label="1", cost=DOLLAR, is_partial=True)]
    cost, *_ = cards(picture(Chart(title="Me", subtitle="May", bars=bars)))
    assert found(cost, look.UNKNOWN) == []
    assert [height(bar) for bar in found(cost, look.COST)] == pytest.approx([PLOT], abs=1)


@pytest.mark.parametrize(
    ("days", "label"),
    [(3, "Mon"), (31, "31"), (10, "the-day-after-tomorrow-at-noon"), (100, "Jan1")],
)
def test_captions_do_not_touch(days: int, label: str) -> None:
    """As many as there is room for are written, with room between them."""
    bars = [Bar(label=label, cost=DOLLAR)] * days
    cost, *_ = cards(picture(Chart(title="Me", subtitle="May", bars=bars)))
    row = cost.crop((0, PLOT + 62, cost.width, PLOT + 96))
    is_empty = [row.crop((x, 0, x + 1, row.height)).getcolors(1) for x in range(row.width)]
    words = "".join(" " if empty else "x" for empty in is_empty).split(" " * 6)
    widths = {len(word.strip()) for word in words if word.strip()}
    assert max(widths) - min(widths) <= 2


def test_without_any_price_the_tokens_are_the_headline() -> None:
    """Unknown is not nought: no amount is written, and nothing is drawn as if it cost nothing."""
    bars = [Bar(label="1", cost=None, input=500)]
    unknown = picture(Chart(title="Me", subtitle="May", bars=bars))
    free = picture(Chart(title="Me", subtitle="May", bars=[Bar(label="1", input=500)]))
    headline = (0, 100, look.WIDTH, 210)
    assert unknown.crop(headline) != free.crop(headline)
    assert found(unknown, look.COST) == []


def test_the_cached_share_stands_in_the_tokens() -> None:
    """From below: what was cached, the rest of the input, the output, in proportion."""
    bars = [Bar(label="1", cost=DOLLAR, input=9_000, cached=6_000, output=3_000)]
    _, tokens = cards(picture(Chart(title="Me", subtitle="May", bars=bars)))
    [cached], [fresh], [output] = (
        found(tokens, color) for color in (look.CACHED, look.FRESH, look.OUTPUT)
    )
    assert height(fresh) == pytest.approx(height(cached) / 2, abs=2)
    assert height(output) == pytest.approx(height(fresh), abs=2)
    assert cached[1] == pytest.approx(fresh[3], abs=1)
    assert fresh[1] == pytest.approx(output[3], abs=1)
    cost, _ = cards(picture(Chart(title="Me", subtitle="May", bars=bars)))
    assert found(cost, look.COST)[0][0::2] == cached[0::2]


def test_shares_are_as_long_as_what_they_took() -> None:
    """The rows' bars are in proportion; without every price, those of the tokens are."""
    names = ("Ada", "Bo", "Cy")
    costs = [Share(name=name, cost=DOLLAR // n, tokens=9) for n, name in enumerate(names, 1)]
    *_, rows = cards(picture(month(DOLLAR, shares=tuple(costs))))
    lengths = [_length(rows, place) for place in range(3)]
    assert lengths == pytest.approx([936, 468, 312], abs=3)
    nothing = Share(name="Di", cost=0, tokens=0)
    *_, rows = cards(picture(month(DOLLAR, shares=(*costs, nothing))))
    assert _length(rows, 2) == pytest.approx(312, abs=3)
    assert where(rows.crop((0, 196, rows.width, 250)), look.SHARE).getbbox() is None
    tokens = [Share(name=name, cost=None, tokens=90 * n) for n, name in enumerate(names, 1)]
    *_, rows = cards(picture(month(DOLLAR, shares=tuple(tokens))))
    assert [_length(rows, n) for n in range(3)] == pytest.approx([312, 624, 936], abs=3)


def _length(rows: Image.Image, place: int) -> int:
    row = rows.crop((0, 64 * place + 6, rows.width, 64 * place + 46))
    bounds = where(row, look.SHARE).getbbox()
    assert bounds
    return bounds[2]


def test_others_are_summed_up() -> None:
    """More shares than rows end in one for all the rest; its prices may be partly unknown."""
    shares = [Share(name="A", cost=DOLLAR, tokens=5)] * 5
    rest = [Share(name="B", cost=2 * DOLLAR, tokens=7), Share(name="C", cost=None, tokens=1)]
    summed = Share(name="2 others", cost=2 * DOLLAR, tokens=8, is_partial=True)
    chart = month(DOLLAR, shares=(*shares, *rest))
    assert picture(chart) == picture(month(DOLLAR, shares=(*shares, summed)))
    unknown = Share(name="2 others", cost=None, tokens=2)
    chart = month(DOLLAR, shares=(*shares, rest[1], rest[1]))
    assert picture(chart) == picture(month(DOLLAR, shares=(*shares, unknown)))


def test_a_long_name_leaves_the_numbers_alone() -> None:
    """However long a name is, it is cut before the columns of numbers."""
    short, long = (
        cards(picture(month(DOLLAR, shares=(Share(name=name, cost=DOLLAR, tokens=10**6),))))[-1]
        for name in ("Al", "Wolfeschlegelsteinhausen " * 20)
    )
    numbers = (690, 0, short.width, 60)
    names = (10, 0, 690, 60)
    assert long.crop(numbers) == short.crop(numbers)
    written = [where(row.crop(names), look.TEXT).histogram()[255] for row in (short, long)]
    assert 50 < written[0] * 5 < written[1]


def test_every_place_for_words_has_words() -> None:
    """Title, time, sum, heading, numbers of the axis and captions are there."""
    image = picture(month(DOLLAR, 2 * DOLLAR, shares=(Share(name="Al", cost=1, tokens=1),)))
    places = {
        "title": ((72, 40, 400, 90), look.TEXT),
        "time": ((800, 40, 1_010, 90), look.QUIET),
        "sum": ((60, 110, 500, 210), look.TEXT),
        "tokens": ((72, 220, 500, 262), look.QUIET),
        "heading": ((72, 320, 200, 362), look.TEXT),
        "axis": ((72, 400, 160, 670), look.QUIET),
        "captions": ((180, 670, 1_010, 715), look.QUIET),
        "value": ((700, 395, 900, 425), look.TEXT),
    }
    written = {
        name: where(image.crop(box), color).histogram()[255]
        for name, (box, color) in places.items()
    }
    assert {name for name, count in written.items() if count < 20} == set()


def test_nothing_used_is_said() -> None:
    """Without any use there is a sentence instead of an empty plot."""
    image = picture(month(0, 0))
    assert image == picture(month())
    [card] = cards(image)
    assert where(card, look.QUIET).histogram()[255] > 100
    assert found(image, look.COST) == []


def test_a_picture_is_the_same_every_time() -> None:
    """The same chart is the same file."""
    chart = month(1, 2, None, limit=3)
    assert charts.draw(chart, folders=()) == charts.draw(chart, folders=())


def test_a_picture_full_of_colours_stays_small(tmp_path: Path) -> None:
    """At most 200 KB, by fewer colours where pictures among the words would make it more."""
    emoji = [chr(0x1F600 + n) for n in range(40)]
    write_font(tmp_path / "emoji.ttf", "".join(emoji), strike=64, is_noisy=True)
    shares = [Share(name="".join(emoji[n:]), cost=6 - n, tokens=1) for n in range(6)]
    file = charts.draw(month(DOLLAR, shares=tuple(shares)), folders=(tmp_path,))
    assert Image.open(io.BytesIO(file)).mode == "P"
    assert len(file) <= 200_000


names = st.text(max_size=40) | st.sampled_from(
    ["王小明", "Z" + "\u0334" * 99, "\ud800", "مرحبا 9"]
)
amounts = st.integers(-1, 2**63) | st.integers(0, 10 * DOLLAR)
bars = st.builds(
    Bar,
    label=names,
    cost=st.none() | amounts,
    is_partial=st.booleans(),
    input=amounts,
    cached=amounts,
    output=amounts,
)
shares = st.builds(
    Share, name=names, cost=st.none() | amounts, tokens=amounts, is_partial=st.booleans()
)


@settings(max_examples=8, deadline=None)
@given(
    st.builds(
        Chart,
        title=names,
        subtitle=names,
        bars=st.lists(bars, max_size=20),
        shares=st.lists(shares, max_size=9),
        heading=names,
        limit=st.none() | amounts,
    )
)
def test_nothing_leaves_its_card(chart: Chart) -> None:
    """Whatever the names and amounts: the picture has its size, and its margins are empty."""
    file = charts.draw(chart, folders=())
    image = Image.open(io.BytesIO(file))
    assert (image.format, image.mode, image.width) == ("PNG", "RGB", look.WIDTH)
    assert 500 < image.height <= 1_700
    assert len(file) <= 200_000
    for left, right in ((0, look.MARGIN), (look.WIDTH - look.MARGIN, look.WIDTH)):
        margin = image.crop((left, 0, right, image.height))
        assert margin.getcolors() == [(look.MARGIN * image.height, look.BACKGROUND)]
    for card in cards(image.convert("RGB")):
        bottom = card.crop((20, card.height - 10, card.width - 20, card.height - 4))
        assert bottom.getcolors() == [(bottom.width * bottom.height, look.CARD)]


def test_a_year_of_days_takes_little_longer_than_a_month() -> None:
    """Twelve times the bars take less than four times the time."""
    seconds = {}
    for days in (31, 366):
        chart = month(*(DOLLAR * (day % 7) for day in range(days)))
        times = []
        for _ in range(2):
            start = time.process_time()
            charts.draw(chart, folders=())
            times.append(time.process_time() - start)
        seconds[days] = min(times)
    assert seconds[366] < 4 * seconds[31]


def _luminance(color: Color) -> float:
    parts = [value / 255 for value in color]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        (look.TEXT, look.SHARE, 7),
        (look.QUIET, look.BACKGROUND, 7),
        (look.QUIET, look.CARD, 7),
        (look.QUIET, look.SHARE, 4.5),
        (look.COST, look.CARD, 3),
        (look.OVER, look.CARD, 3),
        (look.LIMIT, look.CARD, 3),
        (look.UNKNOWN, look.CARD, 3),
        (look.CACHED, look.CARD, 3),
        (look.FRESH, look.CACHED, 2),
    ],
)
def test_colours_stand_out(front: Color, back: Color, least: float) -> None:
    """Words have the contrast of WCAG 2.2's AA at least, and what is drawn that of graphics."""
    light, dark = sorted((_luminance(front), _luminance(back)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= least


def test_a_start_does_not_wait_for_pictures() -> None:
    """What draws is loaded with the first picture."""
    code = "import sys, core.charts; print('PIL' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
