"""Spending limits as settings: dollars and tokens, days and months, and where days begin."""

import pytest

from core.errors import SettingsError
from core.settings import Settings, load


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.delenv("TZ", raising=False)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dollars become micro-dollars, rounded down; what is not set is no limit."""
    monkeypatch.setenv("USER_DAILY_USD", "$0.50")
    monkeypatch.setenv("CHAT_MONTHLY_TOKENS", "20000")
    monkeypatch.setenv("TOTAL_MONTHLY_USD", "12.3456789")
    assert load(Settings).caps == {
        ("user", "day", "usd"): 500_000,
        ("chat", "month", "tokens"): 20_000,
        ("all", "month", "usd"): 12_345_678,
    }


def test_no_limits() -> None:
    """Memory is what is saved at where there are some."""
    found = load(Settings)
    assert found.caps == {}
    assert (found.near_limit, found.footer, found.tz) == (("memory",), False, None)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("USER_DAILY_USD", "a lot", "should be a number of dollars"),
        ("USER_DAILY_USD", "-1", "should be a number of dollars"),
        ("USER_DAILY_USD", "inf", "should be a number of dollars"),
        ("USER_DAILY_USD", "1e999999", "should be a number of dollars"),
        ("USER_DAILY_USD", "1e10", "should be a number of dollars"),
        ("USER_DAILY_TOKENS", "-1", "greater than or equal to 0"),
        ("NEAR_LIMIT", "prayer", "should be memory, model"),
        ("TZ", "Mars/Olympus", "should be a time zone such as Europe/Berlin"),
        ("TZ", "/etc/passwd", "should be a time zone such as Europe/Berlin"),
    ],
)
def test_a_wrong_value_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    """With what would be right."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: .*{problem}"):
        load(Settings)


def test_good_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """In any case, several with a comma."""
    monkeypatch.setenv("NEAR_LIMIT", "Memory, MODEL")
    monkeypatch.setenv("TZ", "Europe/Berlin")
    found = load(Settings)
    assert (found.near_limit, found.tz) == (("memory", "model"), "Europe/Berlin")
