"""Golden files: text that a person has read and agreed to, compared whole."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
REGENERATE = "WSC_UPDATE_GOLDEN"


def check(name: str, text: str) -> None:
    """Compare text with the golden file of this name; with WSC_UPDATE_GOLDEN=1 write the file instead."""
    path = FOLDER / name
    if os.environ.get(REGENERATE) == "1":
        path.write_text(text, encoding="utf-8")
        return
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    assert text == expected, (
        f"{name} is not golden; if the change is meant, run with {REGENERATE}=1 and read the diff"
    )
