"""`python -m tests.bench` lists the measurements, `python -m tests.bench NAME` runs one."""

import ast
import runpy
import sys
from pathlib import Path


def _benches() -> dict[str, str]:
    """Return the measurements with what they measure: modules that say how to run them."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text())) or ""
        if f"Run as `python -m tests.bench.{path.stem}`" in text.replace("bench ", "bench."):
            found[path.stem] = text.partition("\n")[0]
    return found


def main() -> None:
    """List the measurements, or run one."""
    benches = _benches()
    if len(sys.argv) > 1 and sys.argv[1] in benches:
        name = sys.argv.pop(1)
        # Some start processes, which have to find by name what they are to run.
        runpy.run_module(f"tests.bench.{name}", run_name="__main__", alter_sys=True)
        return
    for name, text in benches.items():
        sys.stdout.write(f"python -m tests.bench {name:8}  {text}\n")


if __name__ == "__main__":
    main()
