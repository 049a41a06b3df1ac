"""A folder to stand in, with models, and builds of them that are compiled once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.shell import META, MLP, wsc_well


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: empty but for mlp.py and meta.py."""
    monkeypatch.chdir(tmp_path)
    Path("mlp.py").write_text(MLP)
    Path("meta.py").write_text(META)
    return tmp_path


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """compiled(model, machine): a build folder, not to be changed."""
    home = tmp_path_factory.mktemp("builds")
    texts = {"mlp": MLP, "meta": META}

    def compiled(model: str, machine: str) -> Path:
        file, build = home / f"{model}.py", home / f"{model}-{machine}"
        if not build.exists():
            file.write_text(texts[model])
            wsc_well("compile", file, "-t", machine, "-o", build)
        return build

    return compiled


@pytest.fixture
def build(folder: Path, compiled: Callable[[str, str], Path]) -> Path:
    """build/mlp in the current folder, a build for wafer-4x4."""
    return Path(shutil.copytree(compiled("mlp", "wafer-4x4"), Path("build/mlp")))


@pytest.fixture
def meta_build(folder: Path, compiled: Callable[[str, str], Path]) -> Path:
    """build/meta in the current folder, a build without weights."""
    return Path(shutil.copytree(compiled("meta", "wafer-4x4"), Path("build/meta")))
