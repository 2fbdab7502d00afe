"""Amounts as owners write them: what is read as what, and what is not guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.commands.amounts import MOST_DOLLARS, MOST_TOKENS, read_amount
from core.errors import InputError
from core.money import Unit
from core.protocols import Store
from core.usage import DIME, MICRO, amount
from tests.core.house import OFFICE, OWNER, House
from tests.core.stand_ins import ANN

CENT = 10_000
SPANS = ("{}", "{} day", "month {}", "{} a month", "{}/day", "{} per  Month", "{} today")


@pytest.fixture
def clock() -> None:
    """Time passes in the store."""


@given(st.integers(0, MOST_TOKENS), st.sampled_from(SPANS))
def test_tokens_that_are_printed_are_read(tokens: int, span: str) -> None:
    """As many as there are, with a day or month beside them."""
    for text in (amount(tokens, "tokens"), f"{tokens} TOKENS", f"{tokens:,}token"):
        assert read_amount(span.format(text)) == (tokens, "tokens")


@given(
    st.one_of(st.integers(0, DIME), st.integers(0, MOST_DOLLARS * MICRO)), st.sampled_from(SPANS)
)
def test_dollars_that_are_printed_are_read(dollars: int, span: str) -> None:
    """As much as the printed digits say: to the cent, and little ones to its hundredth."""
    step = CENT if dollars >= DIME else CENT // 100
    printed = amount(dollars, "usd")
    value, unit = read_amount(span.format(printed))
    assert (value % step, unit) == (0, "usd")
    assert abs(value - dollars) <= step // 2
    for text in (printed.replace(",", ""), printed.removeprefix("$"), f"{printed[1:]} USD"):
        assert read_amount(span.format(text)) == (value, "usd")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", (5_000_000, "usd")),
        ("$1,000", (1_000_000_000, "usd")),
        ("$ .5", (500_000, "usd")),
        ("usd 0.0001", (100, "usd")),
        ("5$", (5_000_000, "usd")),
        ("1 dollar", (1_000_000, "usd")),
        ("for a day $1,234,567.891", (1_234_567_891_000, "usd")),
        ("20,000 tokens", (20_000, "tokens")),
        ("0 tokens this month", (0, "tokens")),
    ],
)
def test_what_people_leave_out(text: str, expected: tuple[int, Unit]) -> None:
    """The sign, the separators, the zero before the point."""
    assert read_amount(text) == expected


@pytest.mark.parametrize("unit", ["", " tokens", " usd"])
@pytest.mark.parametrize(
    "number",
    [
        *("", "0,50", "0,500", "1,00", "1,0000", "1000,000", ",5", "1.000,50", "1.5k", "1e3"),
        *("-5", "$-5", "\N{MINUS SIGN}5", "5 6", "5 euros", "5 a week", "5 day month", "five"),
    ],
)
def test_what_is_not_understood_is_not_guessed(number: str, unit: str) -> None:
    """One sentence shows how it is written."""
    with pytest.raises(InputError, match=r"^Say how much, such as `\$0\.50` or `20,000 tokens`"):
        read_amount(number + unit)


@pytest.mark.parametrize("text", ["1.5 tokens", "$5 tokens", "tokens"])
def test_tokens_are_whole(text: str) -> None:
    """There is no part of one, and none has a price here."""
    with pytest.raises(InputError, match=r"^Say how much"):
        read_amount(text)


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (f"{MOST_TOKENS + 1} tokens", "1,000,000,000,000 tokens"),
        (f"{'9' * 5000} tokens", "1,000,000,000,000 tokens"),
        ("$1,000,000,000.000001", "$1,000,000,000.00"),
        ("9" * 5000, "$1,000,000,000.00"),
    ],
)
def test_there_is_a_most(text: str, most: str) -> None:
    """What no store could count is refused with what can be."""
    with pytest.raises(InputError, match="more than I can count") as caught:
        read_amount(text)
    assert most in str(caught.value)


async def test_owners_are_understood_or_told(store: Store) -> None:
    """Thousands are thousands, letters may be large, and nothing is set that was not said."""
    house = House(store=store)
    async with house.running():
        await house.ask("hi")

        async def order(text: str) -> str:
            return await house.ask(text, chat=OFFICE, person=OWNER)

        for text, words in (
            ("20,000 tokens", "20,000 tokens a day"),
            ("20,000 tokens Month", "20,000 tokens a month"),
            ("$1,000", "$1,000.00 a day"),
            ("1,000,000,000,000 tokens", "1,000,000,000,000 tokens a day"),
            ("$1,000,000,000 a month", "$1,000,000,000.00 a month"),
        ):
            assert await order(f"/limit {ANN.id} {text}") == (
                f"`desk:1`: at most {words} from now on."
            )
        for text in ("0,50", "1.5k tokens", "-5"):
            for command in ("limit", "grant"):
                assert (await order(f"/{command} {ANN.id} {text}")).startswith("Say how much")
        assert "more than I can count" in await order(f"/grant {ANN.id} {'9' * 20} tokens")
        for _ in range(20):
            left = await order(f"/grant {ANN.id} $1,000,000,000 month")
        assert left.startswith("`desk:1`: $21,000,000,000.00 of $21,000,000,000.00 a month")
        assert "no limit for a month any more" in await order(f"/limit {ANN.id} NONE month")
