"""Each file in errors/ is a model with a mistake; the text beside it is what the user reads."""

import re
import sys
from pathlib import Path

import pytest

from wsc.compiler.errors import ModelError, UserError
from wsc.frontend.capture import capture
from wsc.frontend.model_file import load

ERRORS = Path(__file__).parent / "errors"


def said(spec: str, **options: str) -> str:
    """What compiling a model says; captured from the folder of the models, so that paths are short."""

    def compiled() -> None:
        source = load(spec, options)
        capture(source.module, source.example_inputs, source.name)

    with pytest.raises(UserError) as caught:
        compiled()
    return f"{type(caught.value).__name__}: {caught.value}\n"


@pytest.fixture(autouse=True)
def _folder(monkeypatch):
    monkeypatch.chdir(ERRORS)


@pytest.mark.parametrize("name", sorted(path.stem for path in ERRORS.glob("*.py")))
def test_message(name, capfd):
    assert said(f"{name}.py") == Path(f"{name}.txt").read_text(encoding="utf-8")
    assert capfd.readouterr() == ("", "")


def test_every_message_has_a_model():
    assert {path.stem for path in ERRORS.glob("*.txt")} == {path.stem for path in ERRORS.glob("*.py")}


def test_syntax_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("typo.py").write_text("\n\ndef model(:\n")
    assert said("typo.py") == "ModelError: typo.py:3: Python cannot read the model file: invalid syntax.\n"


def test_missing_file():
    assert said("nowhere.py") == "ModelError: There is no model file 'nowhere.py'.\n"


def test_not_python():
    assert said("no_model.txt") == (
        "ModelError: 'no_model.txt' is not a Python file: a model file ends in .py and defines `model()`.\n"
    )


def test_unknown_option(tmp_path):
    path = tmp_path / "m.py"
    path.write_text("def model(width=2, depth=3): ...\ndef example_inputs(batch=1): ...\n")
    assert said(str(path), widht="4") == (
        "ModelError: The model has no option 'widht': it accepts batch, depth, width. Did you mean 'width'?\n"
    )


def test_unknown_factory():
    assert (
        said("no_model.py:bild")
        == "ModelError: 'no_model.py' has no function bild(): it defines build(), example_inputs().\n"
    )


def test_an_error_while_loading_leaves_the_path_alone():
    before = list(sys.path)
    with pytest.raises(ModelError, match=re.escape("import_error.py:1")):
        load("import_error.py", {})
    assert sys.path == before
