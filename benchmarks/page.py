"""Pages that several commands write: each replaces the section under its own heading and leaves the others."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "docs" / "models.md"


def put_section(page: Path, section: str) -> None:
    """Put a section, which begins with its heading, into a page in place of the one of that heading."""
    page.write_text(with_section(page.read_text(encoding="utf-8"), section), encoding="utf-8")


def with_section(page: str, section: str) -> str:
    """The page with a section in place of the one that has its heading, or at the end where there is none.

    A section reaches to the next heading of the first two levels; sections are an empty line apart.
    """
    heading = section.splitlines()[0]
    parts = [part for part in re.split(r"^(?=##? )", page, flags=re.MULTILINE) if part.strip()]
    kept = [section if part.splitlines()[0] == heading else part for part in parts]
    if section not in kept:
        kept.append(section)
    return "\n\n".join(part.strip("\n") for part in kept) + "\n"
