"""How large a report page is, how soon it shows something, and how smoothly its floor plan moves, in Chromium.

    python -m benchmarks.report_page BUILD... [--browser chromium] [--frames 120]

For each build folder: the bytes of report.html; seconds from opening the file to the first picture (the browser's first
contentful paint) and until all data is read; frames a second while the floor plan pans and zooms, with the kernels and
with every layer, each frame drawn and read back, so that what the browser puts off is counted too.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
PAINT = "performance.getEntriesByName('first-contentful-paint').map((entry) => entry.startTime)[0] ?? null"
MOVE = """async (frames) => {
  const begun = performance.now();
  for (let i = 0; i < frames; i++) {
    floor.zoomAt(400 + 100 * Math.sin(i / 9), 300, i % 40 < 20 ? 1.12 : 1 / 1.12);
    floor.x += 3 * Math.sin(i / 5);
    await new Promise(requestAnimationFrame);
    floor.canvas.getContext("2d").getImageData(0, 0, 1, 1);
  }
  return (1000 * frames) / (performance.now() - begun);
}"""


@dataclass(frozen=True)
class Measured:
    """Of one page: bytes, seconds, and frames a second by layer."""

    bytes: int
    picture: float
    ready: float
    frames: dict[str, float]


def measure(browser: Browser, page: Path, frames: int) -> Measured:
    """Open a page in a fresh tab and move its floor plan."""
    tab = browser.new_page(viewport={"width": 1400, "height": 900})
    tab.goto(page.resolve().as_uri())
    tab.wait_for_selector("body[data-ready]", state="attached")
    ready = float(tab.evaluate("performance.now()")) / 1000
    tab.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
    picture = float(tab.evaluate(PAINT)) / 1000
    tab.evaluate("show('floor')")
    titles = ["kernels", *tab.evaluate("data.fields.map((field) => field.title)")]
    found = {}
    for number, title in enumerate(titles):
        tab.select_option("#layer", str(number))
        if number:
            tab.wait_for_function(f"floor.images[{number - 1}] !== null")
        found[title] = float(tab.evaluate(MOVE, frames))
    tab.close()
    return Measured(page.stat().st_size, picture, ready, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("builds", nargs="+", type=Path, metavar="BUILD")
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, NAMES)), None))
    parser.add_argument("--frames", type=int, default=120)
    arguments = parser.parse_args()
    if arguments.browser is None:
        raise SystemExit("There is no Chromium: name one with --browser.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.browser)
        for build in arguments.builds:
            found = measure(browser, build / "report.html", arguments.frames)
            print(
                f"{build}: {found.bytes / 1e6:.2f} MB, first picture {found.picture:.2f} s, ready {found.ready:.2f} s"
            )
            for title, rate in found.frames.items():
                print(f"    {rate:6.1f} frames/s  {title}")
        browser.close()


if __name__ == "__main__":
    main()
