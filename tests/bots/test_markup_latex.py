"""LaTeX -> what people read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.markup import Part, telegram_parts
from bots.markup.latex import readable

FORMULAS = [
    (r"E=mc^2", "E = mc²"),
    (r"\frac{a+1}{2b} + \frac{a}{b}", "(a + 1)/(2b) + a/b"),
    (r"2\frac12 \tfrac{\partial f}{\partial x}", "2 1/2 ∂f/∂x"),
    (r"\frac{-b \pm \sqrt{b^2-4ac}}{2a}", "(\u2212b ± √(b² \u2212 4ac))/(2a)"),
    (r"\sum_{i=1}^{n} i = \frac{n(n+1)}{2}", "∑ᵢ₌₁ⁿ i = n(n + 1)/2"),
    (r"\int_0^\infty e^{-x^2}\,dx", "∫₀^∞ e^(\u2212x²) dx"),
    (r"\lim_{x \to 0} \frac{\sin x}{x} = 1", "lim_(x→0) (sin x)/x = 1"),
    (r"O(n \log n), \log_2(n)", "O(n log n), log₂(n)"),
    (r"\left(\frac{a}{b}\right)^2 x_{ij}^{2}", "(a/b)²xᵢⱼ²"),
    (r"x_{train} + a^{b^{c}} + 10^{-3}", "x_train + a^(bᶜ) + 10⁻³"),
    (r"\sqrt[3]{x} \sqrt{\sqrt{2}}", "³√x√(√2)"),
    (r"\mathbb{R}^n \to \mathbb{C}, \hat{\theta} \vec{v}", "ℝⁿ → \u2102, θ\u0302v\u20d7"),
    (r"A = \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "A = (1, 2; 3, 4)"),
    (r"f = \begin{cases} 1, & x > 0 \\ 0 & \text{if } y \end{cases}", "f = {1, x > 0; 0, if y"),
    (r"\begin{aligned} a &= b + c \\[4pt] &= d \end{aligned}", "a = b + c\n  = d"),
    (r"\binom{n}{k} \not= 5\,\mathrm{kg}", "(n choose k) ≠ 5 kg"),
    (r"P(A \mid B) = 90^\circ, f'(x)", "P(A | B) = 90°, f\u2032(x)"),
    (r"\underbrace{a+b}_{c} \overline{AB} \widehat{AB}", "(a + b)_c A\u0305B\u0305 AB"),
    (r"1{,}000 + 2,000 + \text{a\_b}\phantom{x}", "1,000 + 2,000 + a_b"),
    (r"\lvert x \rvert \label{q} \nonumber x\!y", "|x|xy"),
    (r"a \\ b", "a\nb"),
    (r"x^{(\infty}", "x^((∞)"),
    (r"^{14}\text{C} \text{CO}_2", "¹⁴CCO₂"),
    (r"\left(x + \frac{b}{2a}\right)^2 (a)(b)^2", "(x + b/(2a))²(a)(b)²"),
    (r"{(a)(b)}^2 {f(x)}^2", "((a)(b))²f(x)²"),
]


@pytest.mark.parametrize(("latex", "text"), FORMULAS)
def test_a_formula_reads_as_a_person_would_type_it(latex: str, text: str) -> None:
    """Its meaning stays: what a stroke or an exponent spans is put into brackets."""
    assert readable(f"${latex}$") == text


@pytest.mark.parametrize(
    "latex",
    [
        r"\frac{",
        r"x^",
        r"\unknown{x}",
        r"\left( x",
        "{" * 490,
        "x" * 2000,
        r"\begin{matrix} 1",
        "",
    ],
)
def test_what_cannot_be_read_is_left_alone(latex: str) -> None:
    """Wrong, unknown, unfinished or endless LaTeX is shown as it is, never half."""
    assert readable(f"\\({latex}\\)") == ""


@pytest.mark.parametrize(
    "markdown",
    [
        "$x_1$",
        r"\(x_1\)",
        "$$x_1$$",
        "\\[\nx_1\n\\]",
        "\\begin{equation}\nx_1\n\\end{equation}",
    ],
)
def test_every_way_to_write_a_formula_is_read(markdown: str) -> None:
    """Dollars, brackets, one or two, and what needs none."""
    (part,) = telegram_parts(f"a {markdown} b")
    assert (part.text, [entity.type for entity in part.entities]) == ("a x₁ b", ["code"])


def test_rows_of_a_formula_stand_on_lines_of_their_own() -> None:
    """They are lined up, even inside a list; in a table or a link they share a line."""
    rows = r"\begin{aligned} a &= b \\ &= c \end{aligned}"
    (part,) = telegram_parts(f"- x\n  $${rows}$$\n  y")
    assert part.text == "• x\na = b\n  = c\n    y"
    assert [entity.type for entity in part.entities] == ["pre"]
    table = f"| h |\n|---|\n| ${rows}$ |"
    assert telegram_parts(table)[0].text.endswith("\na = b; = c")
    assert telegram_parts(f"[{rows.join('$$')}](https://a.bc)")[0].text == "a = b; = c"


def test_code_and_prices_are_no_formulas() -> None:
    """What a shell or a shop writes is shown as it is."""
    text = "`$x_1$` costs $5 and $10, $HOME or \\$x_1\\$\n\n```\n$$x_1$$\n```"
    assert telegram_parts(text)[0].text == "$x_1$ costs $5 and $10, $HOME or $x_1$\n\n$$x_1$$"


def test_only_so_many_formulas_are_read() -> None:
    """A flood of formulas must not cost seconds."""
    parts = telegram_parts(" ".join(f"$x_{{{number}}}$" for number in range(1001)))
    assert parts[-1].text == "$x_{1000}$"
    assert parts[-2].text.endswith("x₉₉₉")


TOKENS = [
    r"\frac", r"\sqrt", r"\left(", r"\right)", r"\left|", r"\text{", r"\binom", r"\sum", r"\hat",
    r"\limits", r"\not", r"\color", r"\substack", r"\middle", r"\genfrac", r"\begin", r"\end",
    r"\begin{matrix}", r"\end{matrix}", r"\begin{cases}", r"\end{cases}", r"\begin{align*}",
    r"\end{align*}", r"\mathbb", r"\over", r"\operatorname", r"\overset", r"\pmod", r"\tag",
    r"\xrightarrow", r"\boxed", r"\!", r"\quad", r"\phantom", r"\root", r"\href", r"\skew",
    r"\char", r"\hspace", r"\prime", r"\overline", r"\big", "\\\\", "&#x41;",
    *"{}[]()^_&|'x1=+-,~%#é数 \u0301",
]  # fmt: skip


@given(latex=st.lists(st.sampled_from(TOKENS), max_size=14).map("".join))
@settings(max_examples=400, deadline=None)
def test_no_latex_raises(latex: str) -> None:
    """Whatever stands between dollars is read or left alone, and shown."""
    text = readable(f"$${latex}$$")
    assert "\\" not in text
    assert text == text.rstrip()


def test_a_growing_formula_never_shows_its_delimiters_closed_twice() -> None:
    """Each prefix of an answer with formulas renders, and the last as the whole."""
    answer = "So:\n\n$$\n\\frac{a}{b} = \\sqrt{x}\n$$\n\nand \\(y_1\\) for $5."
    before: tuple[Part, ...] = ()
    for end in range(len(answer) + 1):
        before = telegram_parts(answer[:end], is_final=False)
        assert all("$$$" not in part.text for part in before)
    assert [part.text for part in before] == ["So:\n\na/b = √x\n\nand y₁ for $5."]
