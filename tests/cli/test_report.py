"""`wsc report`: the page is written, and works in a real browser where there is one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.cli.shell import wsc, wsc_well

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def test_a_compile_writes_the_page(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "--target", "wafer-4x4")
    page = folder / "build" / "mlp" / "report.html"
    written = page.read_text()
    page.unlink()
    assert wsc_well("report", "--json").json["bytes"] == len(written.encode())
    assert page.read_text() == written
    wsc_well("compile", "mlp.py", "--target", "wafer-4x4", "--no-page")
    assert not page.exists()


def test_the_page_goes_where_it_is_asked_to(folder: Path) -> None:
    wsc_well("compile", "mlp.py", "--target", "null", "--no-page")
    assert "wrote there.html" in wsc_well("report", "--output", "there.html").out
    assert Path("there.html").is_file()
    ran = wsc("report", "--output", "no/such/folder.html")
    assert (ran.code, ran.out) == (2, "")
    assert "Cannot write the page no/such/folder.html" in ran.err


def test_inspect_opens_the_page_and_writes_it_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    wsc_well("compile", "mlp.py", "--target", "null", "--no-page")
    wsc_well("inspect", "--open", "--no-terminal", "--layer", "kernel")
    page = folder / "build" / "mlp" / "report.html"
    assert page.is_file()
    assert opened == [page.as_uri()]


@pytest.fixture
def page(folder: Path) -> Iterator[Page]:
    """The page of a small build, open in a browser; any error on its console fails the test."""
    wsc_well("compile", "mlp.py", "--target", "wafer-8x8")
    with opened_page(folder) as opened:
        yield opened


@contextmanager
def opened_page(folder: Path) -> Iterator[Page]:
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER)
        opened = browser.new_page(viewport={"width": 1200, "height": 800})
        opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on(
            "request", lambda request: None if request.url.startswith("file:") else faults.append(request.url)
        )
        opened.goto((folder / "build" / "mlp" / "report.html").as_uri())
        opened.wait_for_selector("body[data-ready]")
        yield opened
        browser.close()
    assert not faults


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_the_page_in_a_browser(page: Page) -> None:
    assert "cycles between inputs. Bounded by" in page.inner_text("#bounded")
    page.click("text=Floor plan")
    page.wait_for_function("floor && floor.zoom > 0")
    page.hover("#floor canvas", position={"x": 300, "y": 300})
    assert page.inner_text("#hover").startswith("core (")
    before = page.evaluate("floor.zoom")
    page.mouse.wheel(0, -600)
    page.wait_for_function(f"floor.zoom > {before}")
    page.select_option("#layer", label="SRAM used")
    page.wait_for_function("floor.images[0] !== null")
    assert "48.0 KiB" in page.inner_text("#key")
    for layer in ("Utilisation", "Links", "Energy"):
        label = page.evaluate(f"data.fields.find((field) => field.title.startsWith('{layer}')).title")
        page.select_option("#layer", label=label)
        page.hover("#floor canvas", position={"x": 310, "y": 300})
        page.wait_for_function(f"floor.images[{page.evaluate('Number(floor.layer.value)')} - 1] !== null")
        page.hover("#floor canvas", position={"x": 300, "y": 300})
        assert label in page.inner_text("#hover")
    page.click("text=whole machine")
    page.click("#floor canvas", position={"x": 300, "y": 300})
    page.click("nav >> text=Time")
    page.wait_for_function("timeline && timeline.tracks.length > 0")
    page.hover(".timeline", position={"x": 400, "y": 30})
    assert page.inner_text(".spans").startswith("power: ")
    page.hover(".timeline", position={"x": 400, "y": page.evaluate("timeline.top") + 5})
    assert page.inner_text(".spans").startswith("kernels: ")
    whole = page.evaluate("timeline.to - timeline.from")
    page.keyboard.down("Shift")
    page.mouse.wheel(0, -600)
    page.keyboard.up("Shift")
    page.wait_for_function(f"timeline.to - timeline.from < {whole}")
    for tab in ("Time", "Roofline", "Memory", "Energy", "Graph", "Program", "Overview"):
        page.click(f"nav >> text={tab}")
        assert page.locator("section.shown").inner_text().strip()


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
def test_kernel_program_and_floor_plan_lead_to_each_other(page: Page) -> None:
    page.click("nav >> text=Program")
    page.click(".line.kernel >> nth=0")
    assert page.evaluate("floor.selected") == page.evaluate("data.regions[0][0]")
    page.evaluate("openProgram(0)")
    assert 'kernel "' in page.inner_text("#program .hot")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
@pytest.mark.parametrize("target", ["isaac", "h100x8", "null"])
def test_every_target_has_a_page_that_works(folder: Path, target: str) -> None:
    wsc_well("compile", "mlp.py", "--target", target)
    with opened_page(folder) as page:
        assert len(page.locator(".tile").all()) >= 4
        for tab in ("Floor plan", "Time", "Roofline", "Memory", "Energy", "Graph", "Program"):
            page.click(f"nav >> text={tab}")
            assert page.locator("section.shown").inner_text().strip()
        for name in page.evaluate("data.kernels.map((kernel) => kernel.name)"):
            page.evaluate(f"select({name!r})")
            assert page.locator("section.shown").get_attribute("id") in ("floor", "program")
