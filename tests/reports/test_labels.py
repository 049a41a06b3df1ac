import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsc.reports.labels import LINE_HEIGHT, SMALLEST, Label, elide, fit_label, printable, shorten, text_width

GPT2 = [
    "transformer.wte",
    "transformer.h.0.ln_1",
    "transformer.h.0.mlp.c_fc",
    "transformer.h.1.ln_1",
    "lm_head",
]


def test_what_most_names_share_goes() -> None:
    assert list(shorten(GPT2).values()) == ["wte", "h.0.ln_1", "h.0.mlp.c_fc", "h.1.ln_1", "lm_head"]


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["fc1"],
        ["model.only"],
        ["h.0.a", "h.1.a", "h.2.a"],  # not 0.a
        ["h.*.a", "h.*.b", "h.*.c"],
        ["a.x", "a.y", "x"],  # x would be twice
        ["..", ".", "", "a..b"],
        ["a.x", "b.x", "c.x"],
    ],
)
def test_names_that_stay_as_they_are(names: list[str]) -> None:
    assert list(shorten(names).values()) == names


@pytest.mark.parametrize(
    ("width", "height", "label"),
    [
        (100, 20, Label("h.0.mlp.c_fc", 8, False)),
        (20, 100, Label("h.0.mlp.c_fc", 8, True)),
        (40, 40, Label("h.0.\nmlp.c_fc", 8, False)),
        (4, 4, None),
        (500, 3, None),
    ],
)
def test_where_a_name_goes(width: float, height: float, label: Label | None) -> None:
    assert fit_label("h.0.mlp.c_fc", width, height) == label


def test_a_very_long_name_keeps_its_layer_and_its_last_part() -> None:
    label = fit_label("h.11.self_attention.with.a.very.long.path.to.its.projection", 70, 12)
    assert label is not None
    assert label.text == "h.11…projection"


def test_a_very_long_word_is_cut_in_its_middle() -> None:
    label = fit_label("w" * 100 + "_end", 80, 12)
    assert label is not None
    assert label.text.startswith("ww")
    assert label.text.endswith("_end")
    assert "…" in label.text


@given(st.text("abcdefgh.0123456789_", max_size=60), st.floats(1, 200), st.floats(1, 200))
def test_a_label_never_overflows(name: str, width: float, height: float) -> None:
    label = fit_label(name, width, height)
    if label is None:
        return
    along, across = (height, width) if label.upright else (width, height)
    rows = label.text.split("\n")
    assert label.size >= SMALLEST
    assert max(map(text_width, rows)) * label.size < along
    assert LINE_HEIGHT * len(rows) * label.size < across


@given(st.text(max_size=40), st.floats(0, 30))
def test_elided_text_fits(text: str, width: float) -> None:
    short = elide(text, width)
    assert text_width(short) <= width
    assert short in {"", printable(text)} or "…" in short


def test_what_the_font_lacks_becomes_a_box() -> None:
    assert printable("h.0.mlp × µ…") == "h.0.mlp × µ…"
    assert printable("a\nb\t模") == "a□b□□"
