"""The soak lives through a day, on a scale that costs little, and sees what grows."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.soak import soak
from tests.bench.soak_samples import Sample, draw, figure, median, slope, write_lines
from tests.pictures import png

SAMPLE = Sample(
    at=0.0,
    rss=100.0,
    uss=80.0,
    sockets=5,
    files=3,
    others=2,
    threads=4,
    tasks=9,
    connections=1,
    turns=0,
    cpu=0.0,
)
GROWING = [replace(SAMPLE, at=float(n), rss=100 + 2.0 * n) for n in range(100)]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_a_day_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everybody is answered, and what the process holds is told; how flat it is takes longer."""
    picture = tmp_path / "soak.png"
    await soak(minutes=0.05, rate=10, chats=8, postgres=False, seed=1, picture=picture)
    printed = dict(
        line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line
    )
    assert int(printed["asked"]) > 0
    assert int(printed["turns"]) > 0
    assert printed["lost"] == "0"
    assert picture.read_bytes().startswith(png()[:4])


def test_growth_is_seen() -> None:
    """One odd sample changes nothing."""
    odd = [*GROWING, replace(SAMPLE, at=100.0, rss=9_999.0)]
    assert slope(odd, figure("rss")) == pytest.approx(2, abs=0.1)
    assert slope(GROWING, figure("uss")) == 0
    assert median(GROWING, figure("rss")) == pytest.approx(199)


def test_a_chart_shows_growth(tmp_path: Path) -> None:
    """In blocks and in a picture, also of what is always the same."""
    [rss, uss, *_] = write_lines(GROWING).splitlines()
    assert rss.split()[2][0] == "▁"
    assert rss.split()[2][-1] == "█"
    assert set(uss.split()[2]) == {"▁"}
    draw(GROWING, tmp_path / "soak.png")
    assert (tmp_path / "soak.png").stat().st_size > 1000
