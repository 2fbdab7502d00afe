"""A chat of 200 turns, made up: mixed lengths and languages, and 20 facts to remember."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from core import tokens

TURNS = 200
FIRST_TOLD, TOLD_EVERY = 5, 7  # the first of the facts, and the turns from one to the next
FIRST_ASKED = 160  # from here on, every other turn asks for one
REPEATED_EVERY = 3  # so many facts, one is told again later
HIDDEN_EVERY = 5  # one stands in the middle of a document


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something to remember.

    Attributes:
        key: A word that stands nowhere but where it is told.
        told: How it is told.
        asked: A question that it answers.
    """

    key: str
    told: str
    asked: str


def _facts(*rows: tuple[str, str, str]) -> tuple[Fact, ...]:
    return tuple(Fact(key=key, told=told, asked=asked) for key, told, asked in rows)


FACTS = _facts(
    ("Mirabel", "My daughter Mirabel turned nine in March.", "What is my daughter called?"),
    ("Kestrel-47", "Our server is named Kestrel-47.", "What did I say our server is named?"),
    ("Haselnuss", "Ich bin gegen Haselnuss allergisch.", "Wogegen bin ich allergisch?"),
    ("31.416", "The budget for the kitchen is 31.416 euros.", "How much may the kitchen cost?"),
    ("Rzeszów", "The maintenance window is with the team in Rzeszów.", "Which team maintains it?"),
    ("Clavileño", "Mi caballo se llama Clavileño.", "¿Cómo se llama mi caballo?"),
    ("QX-9921", "My booking code is QX-9921.", "What is my booking code?"),
    ("Тверской", "Я живу на Тверской, дом семь.", "На какой улице я живу?"),  # noqa: RUF001
    ("PostGIS 3.4", "We decided to use PostGIS 3.4.", "Which database extension did we choose?"),
    ("Velasquez", "The contract is signed by Ms Velasquez.", "Who signs the contract?"),
    ("青岚", "我们的项目代号是青岚。", "我们的项目代号是什么?"),
    ("Thursday 14:30", "My dentist is on Thursday 14:30.", "When is my dentist?"),
    ("Wolfgangsee", "Im August fahren wir an den Wolfgangsee.", "Wohin fahren wir im August?"),
    ("metformin", "My father takes metformin, 850 mg.", "What does my father take?"),
    (
        "port 8473",
        "The licence server listens on port 8473.",
        "Where does the licence server listen?",
    ),
    ("さくら庵", "予約した店はさくら庵です。", "予約した店の名前は?"),
    ("left-handed", "I am left-handed, so mirror the layout.", "Which hand do I write with?"),
    ("Ostrava", "My thesis is about the ironworks of Ostrava.", "What is my thesis about?"),
    ("7,200 rpm", "The spindle must stay below 7,200 rpm.", "How fast may the spindle turn?"),
    ("Ibrahim", "The appendix names Ibrahim as the guarantor.", "Who is the guarantor?"),
)

_WORDS = {
    "en": "the window house garden when people often find small answer under rain with morning "
    "light because every question leads from water to stone while nobody knows how long this "
    "takes and why it would be better to wait until another day brings more paper or less work",
    "de": "der Garten und das Haus stehen lange am Rand eines Feldes weil niemand weiß wann die "
    "Arbeit beginnt aber morgen kommt vielleicht mehr Regen oder weniger Licht als wir denken",
    "es": "la casa de piedra tiene una ventana grande porque nadie sabe cuando llega la lluvia y "
    "el trabajo empieza cada mañana con más papel que ayer pero menos tiempo para pensar",
    "ru": "дом стоит у реки и каждое утро люди приходят чтобы узнать когда начнётся работа "  # noqa: RUF001
    "потому что никто не знает сколько времени нужно для ответа на такой простой вопрос",
    "zh": "我们 今天 需要 一个 简单 的 办法 因为 时间 不多 如果 下雨 就 在 家里 工作 "
    "大家 觉得 问题 可以 明天 再 讨论 先 看看 文件 有没有 变化",
    "ja": "今日は 時間が あまり ないので 簡単な 方法を 探して います 雨が 降ったら "
    "家で 仕事を します 質問は 明日 また 話しましょう",
}
_LANGUAGES = ("en",) * 10 + ("de",) * 3 + ("es",) * 2 + ("ru",) * 2 + ("zh",) * 2 + ("ja",)
_UNSPACED = {"zh", "ja"}

# Kinds of text with the least and most tokens of each, and how often they come in 100: first
# what people send, then replies. "full" has about the means of WildChat (300 and 440 tokens a
# message), "brief" those of LMSYS-Chat-1M (70 and 215); arXiv:2405.01470, table 2, 2024-05.
Mix = Sequence[tuple[str, int, int, int]]
MIXES: dict[str, tuple[Mix, Mix]] = {
    "full": (
        (
            ("line", 4, 25, 57),
            ("prose", 40, 160, 31),
            ("code", 300, 1_500, 7),
            ("document", 1_500, 4_000, 5),
        ),
        (
            ("prose", 20, 90, 22),
            ("prose", 180, 500, 48),
            ("prose", 500, 1_000, 20),
            ("code", 500, 1_600, 10),
        ),
    ),
    "brief": (
        (
            ("line", 4, 25, 72),
            ("prose", 30, 120, 24),
            ("code", 200, 900, 3),
            ("document", 800, 2_000, 1),
        ),
        (
            ("prose", 15, 90, 40),
            ("prose", 120, 350, 48),
            ("prose", 350, 700, 8),
            ("code", 300, 900, 4),
        ),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a person writes in a turn, and what the model answers.

    Attributes:
        about: The fact it asks for: the model adds it to its answer if the prompt has it.
    """

    number: int
    asked: str
    answer: str
    about: Fact | None = None


def chat(mix: str, seed: int, turns: int = TURNS) -> list[Exchange]:
    """Make a chat up; the same for the same arguments.

    A shorter one is its beginning, without the questions at the end.
    """
    random = Random(f"{mix} {seed}")
    told = _told(random)
    about = dict(zip(range(FIRST_ASKED, TURNS, 2), random.sample(FACTS, len(FACTS)), strict=True))
    people, replies = MIXES[mix]
    return [
        Exchange(
            number=number,
            asked=_asked(random, people, told.get(number, []), about.get(number)),
            answer=_text(random, replies),
            about=about.get(number),
        )
        for number in range(turns)
    ]


def _told(random: Random) -> dict[int, list[tuple[Fact, bool]]]:
    """Return which facts are told in a turn, and whether in the middle of a document."""
    told: dict[int, list[tuple[Fact, bool]]] = {}
    for index, fact in enumerate(FACTS):
        at = FIRST_TOLD + TOLD_EVERY * index + random.randrange(TOLD_EVERY)
        told.setdefault(at, []).append((fact, index % HIDDEN_EVERY == HIDDEN_EVERY - 1))
        if index % REPEATED_EVERY == 0:
            again = min(at + random.randrange(30, 60), FIRST_ASKED - 1)
            told.setdefault(again, []).append((fact, False))
    return told


def _asked(random: Random, mix: Mix, told: list[tuple[Fact, bool]], about: Fact | None) -> str:
    if about:
        return about.asked
    document = next(kind for kind in mix if kind[0] == "document")
    text = _text(random, (document,) if any(hidden for _, hidden in told) else mix)
    for fact, hidden in told:
        lines = text.split("\n")
        lines.insert(len(lines) // 2 if hidden else len(lines), fact.told)
        text = "\n".join(lines)
    return text


def _text(random: Random, mix: Mix) -> str:
    kind, least, most, _ = random.choices(mix, weights=[weight for *_, weight in mix])[0]
    size = random.randint(least, most)
    lines = _code(random) if kind == "code" else _prose(random, kind)
    text = ""
    while tokens.count(text) < size:
        text += "".join(itertools.islice(lines, max(1, (size - tokens.count(text)) // 24)))
    return text.strip()


def _prose(random: Random, kind: str) -> Iterator[str]:
    language = random.choice(_LANGUAGES)
    words, space = _WORDS[language].split(), "" if language in _UNSPACED else " "
    most = 6 if kind == "line" else 24
    while True:
        sentence = space.join(random.choices(words, k=random.randint(3, most)))
        end = "\n" if kind == "document" or random.random() < 0.2 else " "
        yield f"{sentence[0].upper()}{sentence[1:]}{'。' if not space else '.'}{end}"


def _code(random: Random) -> Iterator[str]:
    names = _WORDS["en"].split()
    for number in itertools.count(1):
        one, two, three = random.choices(names, k=3)
        yield random.choice(
            (
                f"def {one}_{two}({three}: int = {number}) -> str:\n",
                f"    {one} = {two}.get({three!r}, {number}) or {three}[{number}:]\n",
                f'    if {one} and not {two}:\n        return f"{{{three}}} {number}"\n',
                f"    # {one} {two} {three}\n",
            )
        )
