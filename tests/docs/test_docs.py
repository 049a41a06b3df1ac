"""The documentation: every block of code runs, in order, page by page; every link leads somewhere."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "decisions" not in path.parts)
_BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUNS = {"bash", "python"}


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """(language, title, code) of every fenced block."""
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield match[1], match[2] or "", match[3]


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(kind in RUNS for kind, _, _ in blocks(p))], ids=lambda p: p.stem
)
def test_every_block_runs(page: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    bin = tmp_path / "bin"
    bin.mkdir()
    for name, command in (("wsc", "-m wsc"), ("python", "")):
        (bin / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n')
        (bin / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{bin}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "100",
    }
    python: list[str] = []
    for kind, title, code in blocks(page):
        if kind == "python" and title:
            (tmp_path / title).write_text(code)
        elif kind == "python":
            python.append(code)  # the blocks of a page are one program
        elif kind == "bash":
            run(["bash", "-euo", "pipefail", "-c", code], tmp_path, environment)
        else:
            assert kind in {"text", "toml"}, f"a block of {kind} does not run"
    if python:
        (tmp_path / "blocks.py").write_text("\n".join(python))
        run([sys.executable, "blocks.py"], tmp_path, environment)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"


def test_the_site_names_every_page_and_every_page_is_there() -> None:
    named = set(re.findall(r"[\w/.-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert named == there


def test_the_commands_page_names_every_command() -> None:
    from wsc.cli import app

    commands = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    told = set(re.findall(r"^\| `wsc (\w+)", (ROOT / "docs" / "commands.md").read_text(), re.MULTILINE))
    assert told == commands


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--quiet",
        "--strict",
        "--site-dir",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
