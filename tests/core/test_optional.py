"""What is not installed is named, with how to install it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPEN = "import asyncio, core.store; asyncio.run(core.store.open_store('postgresql://h/n'))"


def test_postgres_without_its_extra(tmp_path: Path) -> None:
    """Whoever sets a URL of PostgreSQL reads what it needs, and no traceback of ours is lost."""
    (tmp_path / "psycopg.py").write_text("raise ImportError('no pq wrapper available')")
    kept = {name: text for name, text in os.environ.items() if name.startswith("COVERAGE_")}
    environment = kept | {"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", OPEN], env=environment, capture_output=True, text=True, check=False
    )
    *_, last = done.stderr.splitlines()
    assert last == (
        "core.errors.SettingsError: DATABASE_URL: PostgreSQL needs the extra causerie[postgres]; "
        "install it with pip install 'causerie[postgres]'"
    )
    (tmp_path / "causerie").mkdir()
    environment["DATABASE_URL"] = "postgresql://causerie:in-no-log@127.0.0.1/causerie"
    for command in ([], ["dead"], ["usage"], ["backup", "b.db"], ["restore", __file__]):
        done = subprocess.run(
            [sys.executable, "-m", "bots", *command],
            env=environment,
            cwd=tmp_path / "causerie",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2 or command[:1] == ["restore"], done.stderr
        assert "causerie[postgres]" in done.stderr or "is not a database" in done.stderr
        assert "Traceback" not in done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "bots", "doctor"],
        env=environment,
        cwd=tmp_path / "causerie",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "PostgreSQL needs the extra causerie[postgres]\n" in done.stdout
