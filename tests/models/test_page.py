"""Pages that several commands write: each has a section, and leaves those of the others."""

from benchmarks.page import MODELS, with_section

PAGE = "# Models\n\nall\n\n## Depth\n\n| a |\n\n### of it\n\nmore\n\n## Beside\n\nothers\n"


def test_a_section_takes_the_place_of_the_one_of_its_heading() -> None:
    assert with_section(PAGE, "## Depth\n\nnew\n") == PAGE.replace("| a |\n\n### of it\n\nmore", "new")
    assert with_section(PAGE, "# Models\n\nnew\n") == PAGE.replace("all", "new")
    assert with_section(PAGE, "## Beside\n\nnew") == PAGE.replace("others", "new")


def test_a_section_that_is_not_there_comes_last() -> None:
    assert with_section(PAGE, "## Last\n\nnew\n") == PAGE + "\n## Last\n\nnew\n"


def test_a_section_that_is_there_stays() -> None:
    assert with_section(PAGE, "## Depth\n\n| a |\n\n### of it\n\nmore\n") == PAGE


def test_the_page_of_models_has_the_sections_of_all_three_commands() -> None:
    """And none of them would change what it does not write."""
    text = MODELS.read_text(encoding="utf-8")
    for heading in ("# Models", "## What grows with depth", "## Models beside the list"):
        section = with_section(text, f"{heading}\n\nnew\n")
        assert section != text
        others = {line for line in text.splitlines() if line.startswith("#")}
        assert others <= set(section.splitlines())
