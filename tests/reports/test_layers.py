import numpy as np
import pytest

from wsc.compiler.errors import UserError
from wsc.reports.layers import check_layer, draw_layer, layer_names, terminal_layer
from wsc.simulation.floorplan import Field, Floorplan, Region


def plan(*titles: str) -> Floorplan:
    fields = tuple(Field(title, "", np.ones((2, 2))) for title in titles)
    return Floorplan("test", 2, 2, (Region("a", 0, 0, 1, 1, "linear"),), fields)


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        ((), ()),
        (("SRAM used", "Utilisation, of an interval", "Links (all)"), ("sram", "utilisation", "links")),
        (("Link words", "Link bytes", "Link"), ("link", "link-bytes", "link-2")),
        (("Kernels", "…"), ("kernels-2", "field")),
        (("Links", "Links,"), ("links", "links-2")),
    ],
)
def test_names_are_clean_words_and_each_once(titles: tuple[str, ...], names: tuple[str, ...]) -> None:
    assert layer_names(plan(*titles)) == ("kernels", *names)


def test_every_layer_can_be_drawn() -> None:
    drawn = plan("SRAM used", "Links, all")
    for layer in (*layer_names(drawn), "placement"):
        check_layer(drawn, layer)
        assert draw_layer(drawn, layer).svg_bytes().startswith(b"<?xml")
        assert terminal_layer(drawn, layer, 20).columns == 20


@pytest.mark.parametrize(
    "look", [check_layer, draw_layer, lambda plan, layer: terminal_layer(plan, layer, 9)]
)
def test_an_unknown_layer_names_the_nearest_and_all(look: object) -> None:
    said = r"There is no layer 'Srem' to draw\. Did you mean 'sram'\? The layers are kernels, sram, links\."
    with pytest.raises(UserError, match=said):
        look(plan("SRAM used", "Links, all"), "Srem")  # type: ignore[operator]


def test_what_every_target_has_goes_by_one_name() -> None:
    wafer = plan("SRAM used", "Utilisation, of an interval", "Links (all)", "Energy of an input")
    cluster = plan("Memory held at most", "Utilisation, in kernels", "Links, bytes", "Energy of an input")
    for layer in ("kernel", "sram", "util", "link", "energy"):
        check_layer(wafer, layer)
        check_layer(cluster, layer)
    said = (
        "The machine of 'test' has no figures for the layer 'temperature'. The layers are kernels, memory, "
    )
    with pytest.raises(UserError, match=said):
        check_layer(cluster, "temperature")
