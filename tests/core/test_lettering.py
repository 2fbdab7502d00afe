"""Words in a picture: any script, each character from a font that has it, never a box."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from core.charts import FONT_FOLDERS, fonts, lettering
from core.charts.lettering import Line, Style
from tests.fonts import write_font

GROUND = (0, 0, 0)
INK = Style(size=36, color=(255, 255, 255))
HEAVY = Style(size=36, color=(255, 255, 255), is_bold=True)
NOWHERE = "\U0010fffe"  # never a character, so what a font shows for it is its box


def drawn(line: Line) -> Image.Image:
    """Return a line on a ground with much room around."""
    image = Image.new("RGB", (1_200, 200), GROUND)
    lettering.write(image, line, 100, 100)
    return image


def line_of(text: str, *folders: Path, style: Style = INK, width: float | None = None) -> Line:
    """Lay out a line with the fonts in the folders."""
    return lettering.set_line(text, style, folders=folders, width=width)


def texts(line: Line) -> list[tuple[str, str]]:
    """Return the runs of a line as text and file."""
    return [(run.text, run.font.path.name) for run in line.runs]


def boxes(line: Line) -> str:
    """Return the characters of a line for which their font shows its box."""
    found = ""
    for run in line.runs:
        font = ImageFont.truetype(
            run.font.path, run.font.strike or 40, layout_engine=ImageFont.Layout.BASIC
        )
        box = _glyph(font, NOWHERE)
        found += "".join(
            character
            for character in run.text
            if not character.isspace()
            and character not in "\u200d\ufe0f"
            and _glyph(font, character) == box
        )
    return found


def _glyph(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    side = int(font.size)
    image = Image.new("RGBA", (3 * side, 2 * side))
    ImageDraw.Draw(image).text((side, 0), character, font=font, embedded_color=True)
    return image.tobytes()


def test_our_own_font_is_known_exactly() -> None:
    """For all of the first planes of letters: it has a glyph where we think so, else its box."""
    own = fonts.load(fonts.REGULAR)
    assert own
    font = ImageFont.truetype(fonts.REGULAR, 8, layout_engine=ImageFont.Layout.BASIC)
    box = _glyph(font, NOWHERE)
    for code in range(0x20, 0x2200):
        assert (_glyph(font, chr(code)) != box) == own.has(chr(code)), hex(code)


@pytest.mark.parametrize("name", ["Łukasz Ångström", "Привет", "Ελλάδα", "Việt Nam", "“½” €"])
def test_europe_needs_no_other_font(name: str) -> None:
    """Latin, Greek and Cyrillic are drawn on a bare machine, bold as well."""
    assert boxes(line_of(name)) == ""
    assert texts(line_of(name)) == [(name, "Inter-Regular.ttf")]
    assert drawn(line_of(name)).getbbox()
    assert drawn(line_of(name, style=HEAVY)) != drawn(line_of(name))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("王小明", "···"),
        ("王小明王小明", "···"),
        ("Anna 🎉", "Anna ·"),
        ("Zoë 👩‍👩‍👧", "Zoë ·"),
        ("a\u200db\u0000c\u202e", "abc"),
        ("\ud800x", "x"),
        ("two\nlines\t here ", "two lines here"),
        ("e\u0301", "é"),
        ("\u200d", ""),
        ("", ""),
    ],
)
def test_what_no_font_has_becomes_dots(text: str, seen: str) -> None:
    """A character without a glyph is a dot, few in a row; what cannot be seen is left out."""
    assert drawn(line_of(text)) == drawn(line_of(seen))
    assert boxes(line_of(text)) == ""


def test_marks_without_end_stay_in_their_line() -> None:
    """Two marks on a letter are drawn; nothing leaves the height of a line."""
    towering = line_of("Z" + "\u0301\u0323\u0308\u0327" * 50 + "o")
    assert drawn(towering).getbbox()[1] >= 100 - 36 * 1.2  # type: ignore[index]
    assert sum(len(run.text) for run in towering.runs) <= 4


@pytest.mark.parametrize("version", [4, 12])
@pytest.mark.parametrize("is_collection", [True, False])
def test_other_characters_come_from_the_systems_fonts(
    tmp_path: Path,
    version: int,
    is_collection: bool,  # noqa: FBT001 - a case of the test
) -> None:
    """Glyph by glyph, whatever the font's table and file are like."""
    path = tmp_path / "deep" / "Chinese.ttc"
    write_font(path, "王小明", version=version, is_collection=is_collection)
    line = line_of("Al 王小李 x", tmp_path)
    assert texts(line) == [
        ("Al ", "Inter-Regular.ttf"),
        ("王小", "Chinese.ttc"),
        ("· x", "Inter-Regular.ttf"),
    ]
    assert boxes(line) == ""
    assert drawn(line_of("王", tmp_path)) != drawn(line_of("小", tmp_path))
    assert drawn(line_of("王", tmp_path, style=HEAVY)) != drawn(line_of("王", tmp_path))


def test_the_plainest_font_is_taken(tmp_path: Path) -> None:
    """Upright sans serifs come before others; a letter comes from no font of emoji."""
    for name in ("A-Bold.ttf", "A-Emoji.ttf", "A-SerifItalic.ttf", "B.ttf", "CSans.ttf"):
        write_font(tmp_path / name, "王🎉")
    assert texts(line_of("王🎉", tmp_path)) == [("王", "CSans.ttf"), ("🎉", "A-Emoji.ttf")]


def test_emoji_are_pictures_of_the_size_of_letters(tmp_path: Path) -> None:
    """Coloured bitmaps are scaled, and stand between the words; signs stay letters."""
    write_font(tmp_path / "Emoji.ttf", "🎉👩\u200d🚀❤\ufe0f©", strike=96)
    line = line_of("I ❤\ufe0f it 🎉 ©", tmp_path)
    assert [name for _, name in texts(line)] == [
        "Inter-Regular.ttf",
        "Emoji.ttf",
        "Inter-Regular.ttf",
        "Emoji.ttf",
        "Inter-Regular.ttf",
    ]
    red = drawn(line_of("🎉", tmp_path)).split()[0].getbbox()
    assert red
    assert red[3] - red[1] == pytest.approx(36, abs=2)
    assert texts(line_of("👩\u200d🚀", tmp_path)) == [("👩\u200d🚀", "Emoji.ttf")]
    assert texts(line_of("👩\u200d🎨", tmp_path)) == [("👩", "Emoji.ttf")]


def test_a_font_that_shows_nothing_is_not_taken(tmp_path: Path) -> None:
    """Some have a character but draw nothing for it that we could use: the next one is asked."""
    write_font(tmp_path / "Emoji-Blank.ttf", "🎉", is_blank=True)
    assert texts(line_of("🎉", tmp_path)) == [("·", "Inter-Regular.ttf")]
    write_font(tmp_path / "more" / "Emoji-Good.ttf", "🎉")
    more = (tmp_path, tmp_path / "more")
    assert texts(line_of("🎉", *more)) == [("🎉", "Emoji-Good.ttf")]


def test_damaged_fonts_are_passed_over(tmp_path: Path) -> None:
    """Cut or scribbled-over files, and what only has a font's name, do no harm."""
    write_font(tmp_path / "whole.ttf", "王小明")
    whole = (tmp_path / "whole.ttf").read_bytes()
    noise = random.Random(7)
    for place in range(40):
        damaged = bytearray(whole[: noise.randrange(len(whole))] if place % 2 else whole)
        for _ in range(20):
            damaged[noise.randrange(min(400, len(damaged)))] = noise.randrange(256)
        (tmp_path / f"a{place}.ttf").write_bytes(damaged)
    (tmp_path / "empty.otf").touch()
    (tmp_path / "folder.ttf").mkdir()
    (tmp_path / "gone.ttf").symlink_to(tmp_path / "nowhere")
    write_font(tmp_path / "odd.ttf", "王小明", version=13)
    assert drawn(line_of("王小明", tmp_path)).getbbox()
    assert boxes(line_of("王小明", tmp_path)) == ""


def test_leftward_scripts_are_read_leftward(tmp_path: Path) -> None:
    """Runs stand in the order in which they are seen; what is between two goes with both."""
    write_font(tmp_path / "Hebrew.ttf", "שלוםע")
    line = line_of("ab שלום עם cd", tmp_path)
    assert [run.is_leftward for run in line.runs] == [False, True, True, True, False]
    hebrew = [run.text for run in line.runs if run.font.path.name == "Hebrew.ttf"]
    assert [text[0] for text in hebrew] == ["ע", "ש"]
    line = line_of("שלום 12 ab.", tmp_path)
    assert line.runs[-1].text == "שלום"
    assert [run.text for run in line.runs if not run.is_leftward] == ["12 ab"]


@pytest.mark.parametrize("text", ["word " * 40, "W" * 400, "שלום " * 40, "🎉" * 60])
def test_long_lines_are_cut(tmp_path: Path, text: str) -> None:
    """No wider than asked for, with an ellipsis, and as much as there is room for."""
    write_font(tmp_path / "Other.ttf", "שלום🎉")
    line = line_of(text, tmp_path, width=300)
    assert 240 < line.width <= 300
    assert "…" in "".join(run.text for run in line.runs)
    assert " …" not in "".join(run.text for run in line.runs)
    assert line_of("short", tmp_path, width=300) == line_of("short", tmp_path)
    for room in range(60, 300, 12):
        assert " …" not in "".join(run.text for run in line_of(text, tmp_path, width=room).runs)
    assert texts(line_of("short", width=1)) == [("…", "Inter-Regular.ttf")]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(20, 400))
def test_any_text_is_drawn_in_its_place(text: str, width: int) -> None:
    """No text fails, shows a box, is too wide or leaves the height of its line."""
    line = line_of(text, width=max(width, 40))
    assert boxes(line) == ""
    assert line.width <= max(width, 40)
    bounds = drawn(line).getbbox()
    if bounds:
        assert bounds[0] >= 100 - 9
        assert bounds[1] >= 100 - 36 * 1.2
        assert bounds[2] <= 100 + width + 30
        assert bounds[3] <= 100 + 36 * 0.5


@pytest.mark.parametrize("text", ["王小明 田中さくら 김민준", "محمد", "שלום", "🎉👩‍🚀🇩🇪❤️", "ภาษา"])
def test_this_machines_fonts_show_no_boxes(text: str) -> None:
    """With the fonts that are installed here there is a glyph for each character, or a dot."""
    line = line_of(text, *FONT_FOLDERS)
    assert boxes(line) == ""
    if {name for _, name in texts(line)} == {fonts.REGULAR.name}:
        pytest.skip("no font here has these")
    assert drawn(line).getbbox()


def test_without_raqm_words_are_still_drawn(tmp_path: Path) -> None:
    """Where FriBidi is missing nothing is shaped, but leftward words still run leftward."""
    write_font(tmp_path / "Other.ttf", "שלום👩🚀\u200d")
    code = (
        "import sys, pathlib, PIL._imagingft as freetype\n"
        "freetype.HAVE_RAQM = False\n"
        "from PIL import Image\n"
        "from core.charts import lettering\n"
        "style = lettering.Style(size=36, color=(255, 255, 255))\n"
        "folders = (pathlib.Path(sys.argv[1]),)\n"
        "line = lettering.set_line('ab שלום 👩\u200d🚀', style, folders=folders)\n"
        "image = Image.new('RGB', (600, 100))\n"
        "lettering.write(image, line, 50, 60)\n"
        "assert image.getbbox()\n"
        "print(ascii([run.text for run in line.runs]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == ascii(["ab ", "םולש", " ", "👩"])
