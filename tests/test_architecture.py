"""The rules of the house that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for room in ("bots", "core") for path in (ROOT / room).rglob("*.py"))
EVERYTHING = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
SDKS = {"openai", "tiktoken", "aiosqlite"}
BOTS = {"telegram", "discord", "console"}


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_imports_go_from_bots_to_core(path: Path) -> None:
    """Core never imports bots; bots never import model SDKs, databases or each other."""
    room, name = path.relative_to(ROOT).parts[:2]
    imports = _imports(path)
    roots = {name.split(".")[0] for name in imports}
    if room == "core":
        assert "bots" not in roots
        return
    assert not roots & SDKS
    if name not in {"serving.py", "upkeep.py"}:
        others = BOTS - {name.removesuffix(".py")}
        assert not imports & {f"bots.{other}" for other in others}


def test_core_names_no_platform() -> None:
    """The words of the platforms do not occur in core."""
    core = [path for path in SOURCES if path.is_relative_to(ROOT / "core")]
    assert [
        _name(p) for p in core if re.search("telegram|discord", p.read_text(), re.IGNORECASE)
    ] == []


@pytest.mark.parametrize("path", EVERYTHING, ids=_name)
def test_files_and_functions_stay_small(path: Path) -> None:
    """A file has at most 400 lines; our own functions at most 40 besides their docstrings."""
    source = path.read_text()
    assert len(source.splitlines()) <= 400
    if path not in SOURCES:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node, clean=False)
            length = node.end_lineno - node.lineno + 1 if node.end_lineno else 0
            assert length - (len(doc.splitlines()) if doc else 0) <= 40, node.name


def test_broad_excepts_stand_only_at_a_workers_top() -> None:
    """One `except Exception` in the whole house: where a worker turns it into a retry."""
    broad = [
        _name(path)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and isinstance(node.type, ast.Name)
        and node.type.id == "Exception"
    ]
    assert broad == ["core/relay.py"]


def test_nothing_embedded_is_imported_unless_it_is_needed() -> None:
    """The composition root loads neither a model SDK nor a platform SDK nor embedded models."""
    code = (
        "import sys, bots.__main__;"
        "print({'openai', 'telegram', 'discord', 'xllamacpp', 'faster_whisper', 'av', 'numpy',"
        " 'prompt_toolkit'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "set()"


def test_no_registry_and_no_machine_is_named() -> None:
    """The repo names no package registry's host and no path of a developer's machine."""
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    hosts = re.compile(r"https?://[^/ ]*(py" + "pi|npm" + r"js)|" + re.escape(f"{ROOT.parent}/"))
    texts = (ROOT / name for name in files if not name.endswith((".gz", ".ogg", ".png")))
    found = [p.name for p in texts if p.exists() and hosts.search(p.read_text(errors="replace"))]
    assert found == []
