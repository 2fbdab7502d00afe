"""What rendering costs: one snapshot of a typical answer, and a whole answer as it streams.

Run as `python -m tests.bench markup`.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from bots.markup import discord_parts, plain_parts, telegram_parts
from bots.markup.latex import readable

# About 2,000 characters of everything models write.
ANSWER = """\
## Reading a file line by line

Python's `open` gives you an **iterator over lines**, so a file of any size fits in memory. \
The *simplest* way is a `for` loop inside a `with` block:

```python
from pathlib import Path

def lines(path: Path) -> list[str]:
    found = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                found.append(f"{number}: {line.rstrip()}")
    return found
```

A few things are worth knowing:

1. **Encoding.** Always name it; the default depends on the platform.
2. **Newlines.** `line` keeps its `\\n`; use `rstrip()` to drop it.
   - On Windows, `\\r\\n` becomes `\\n` while reading.
   - Pass `newline=""` to keep what is there.
3. **Errors.** `errors="replace"` shows *something* instead of raising `UnicodeDecodeError`.

| Method | Memory | Speed |
|:-------|:------:|------:|
| `for` | low | 1.0x |
| `readlines` | high | 1.1x |
| `mmap` | low | 1.4x |

> **Note:** a `vector<string>` in C++ would hold every line; a generator holds one.

See the [documentation](https://docs.python.org/3/library/io.html) and \
[this tutorial](https://realpython.com/read-write-files-python/) for more. Reading \
$n$ lines costs \\(O(n)\\) time, and about $5 of cloud storage buys more text than anybody \
will ever read. ~~Do not~~ Do measure before you optimise, and prefer the version that your \
colleagues understand at first sight.

### In short

- [x] use `with`
- [x] name the encoding
- [ ] worry about speed

Ask if you would like to see the same with `asyncio`, with compressed files, or with several \
files at once; each of them takes only a few lines more, and all of them work on every system \
that Python runs on, from a phone to a mainframe.
"""
FORMULA = r"$x = \frac{-b \pm \sqrt{b^2-4ac}}{2a}$"
STEP = 20


class Render(Protocol):
    """What turns Markdown into messages."""

    def __call__(self, markdown: str, *, is_final: bool = True) -> object:
        """Return the messages."""
        ...


def measure(call: Callable[[], object], rounds: int) -> float:
    """Return the median CPU milliseconds of a call."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times) * 1000


def stream(render: Render) -> None:
    """Render an answer as often as it would be shown."""
    for end in range(STEP, len(ANSWER) + STEP, STEP):
        render(ANSWER[:end], is_final=False)


def rows(render: Render) -> Iterator[tuple[str, float]]:
    """Measure one platform's rendering."""
    snapshots = -(-len(ANSWER) // STEP)
    yield f"final, {len(ANSWER)} characters", measure(lambda: render(ANSWER), 300)
    yield "last snapshot of the same", measure(lambda: render(ANSWER, is_final=False), 300)
    yield f"{snapshots} snapshots while it grows", measure(lambda: stream(render), 10)
    yield "final, 50 times as long", measure(lambda: render(ANSWER * 50), 10)
    yield "1 MB of prose", measure(lambda: render("word and " * 111_000), 5)
    yield "20,000 nested quotes", measure(lambda: render(">" * 20_000 + "x"), 5)


def main() -> None:
    """Print the costs."""
    found = [
        *(("telegram: " + name, cost) for name, cost in rows(telegram_parts)),
        ("telegram: the same as plain text", measure(lambda: plain_parts(ANSWER), 300)),
        *(("discord: " + name, cost) for name, cost in rows(discord_parts)),
        ("a formula for the first time", measure(lambda: readable.__wrapped__(FORMULA), 300)),
    ]
    for name, milliseconds in found:
        sys.stdout.write(f"{name:<42}{milliseconds:>9.2f} ms\n")


if __name__ == "__main__":
    main()
