"""Which line of which file is blamed."""

import sysconfig
from pathlib import Path

import pytest
import torch

from wsc.compiler.ir.graph import Location
from wsc.frontend.places import place_in_stack, said_by, shown_path

TORCH = f"{torch.__path__[0]}/nn/modules/linear.py"
LIBRARY = f"{sysconfig.get_path('purelib')}/zoo/model.py"
USER = str(Path.cwd() / "models" / "mine.py")


def stack(*files: str) -> str:
    return "".join(
        f'  File "{file}", line {line}, in forward\n    code\n' for line, file in enumerate(files, 1)
    )


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([USER, LIBRARY, TORCH], Location("models/mine.py", 1, "m")),
        ([USER, USER, TORCH], Location("models/mine.py", 2, "m")),
        ([LIBRARY, LIBRARY, TORCH], Location("zoo/model.py", 2, "m")),
        ([TORCH], Location("torch/nn/modules/linear.py", 1, "m")),
        (["<eval_with_key>.1", TORCH], Location("torch/nn/modules/linear.py", 2, "m")),
        (["<eval_with_key>.1"], Location("", 0, "m")),
        ([], Location("", 0, "m")),
    ],
)
def test_the_innermost_line_nearest_to_the_user(files, expected):
    assert place_in_stack(stack(*files), "m") == expected


def test_no_stack():
    assert place_in_stack(None) == Location()


def test_paths_do_not_depend_on_where_things_lie():
    assert shown_path(USER) == "models/mine.py"
    assert shown_path(LIBRARY) == "zoo/model.py"
    assert shown_path("/elsewhere/model.py") == "/elsewhere/model.py"


def test_the_first_paragraph_of_what_was_said():
    assert said_by(ValueError("one\n  two\n\nthree")) == "ValueError: one two."
    assert said_by(ValueError()) == "ValueError."
    assert said_by(ValueError("why?")) == "ValueError: why?"
