"""How soon a report shows its interactive scene, and how many frames a second it draws while something is dragged.

    python -m benchmarks.report_page results/demo

Headless Chromium, which draws in software here, opens report.html from the disk. First frame: from the start of navigation
until the scene's first picture is drawn, median of several loads. Dragging: a slider is held by the mouse while its scale
changes with every frame of the browser, and the view from elsewhere is turned the same way; both panes of the scene together,
or each of them, are 640x480. While things move the page draws fewer pixels where the machine does not keep up: the share of
a side is printed beside. Targets: 2 s, 20 frames/s. Other work on the machine misleads all of it: its load is printed, and what
one frame takes of processors, all processes of the browser together.
"""

import argparse
import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

LOADS = 5
SECONDS = 4
TARGET_S, TARGET_FPS = 2.0, 20.0
SHAPES = {"both panes in 640x480": (640, 480), "each pane 640x480": (1286, 480)}
# Resolves when the time is over, to frames a second and the share of a side that was drawn at the end.
DRAG = """
const [kind, seconds, done] = arguments, page = window.scenePage, log = Math.log;
const [low, high] = page.judge.range[1] || [1, 1], start = performance.now();
page.dragging = true;
let first = page.drawn;
const step = () => {
  const spent = (performance.now() - start) / 1000;
  if (spent < 1) first = page.drawn;  // the page finds its pace
  if (spent >= 1 + seconds) {
    const rate = (page.drawn - first) / (spent - 1), share = page.quality;
    page.dragging = false;
    page.ask();
    return done([rate, share]);
  }
  if (kind === "slider") page.setScale(1, low * Math.pow(high / low, 0.5 + 0.4 * Math.sin(2 * spent)));
  else page.turn(0.02 * Math.cos(spent), 0);
  requestAnimationFrame(step);
};
requestAnimationFrame(step);
"""
RESIZE = """
const stage = document.querySelector("#scene .stage");
stage.style.cssText += `width: ${arguments[0]}px; height: ${arguments[1]}px; max-width: none; grid-auto-rows: ${arguments[1]}px`;
for (const pane of stage.querySelectorAll(".pane")) pane.style.aspectRatio = "auto";
stage.scrollIntoView({block: "center", behavior: "instant"});
"""


@contextmanager
def chromium() -> Iterator[Any]:
    """Headless Chromium as the tests have it."""
    from selenium import webdriver

    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not binary or not driver:
        raise SystemExit("no chromium with chromedriver on this machine; `make browser` installs them")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    flags = "headless no-sandbox disable-gpu no-first-run disable-background-networking enable-unsafe-swiftshader"
    for flag in f"{flags} window-size=1400,1000".split():
        options.add_argument(f"--{flag}")
    with tempfile.TemporaryDirectory() as profile:
        options.add_argument(f"--user-data-dir={profile}")
        browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
        browser.set_script_timeout(60)
        try:
            yield browser
        finally:
            browser.quit()


def first_frame_s(browser: Any, page: Path) -> float:
    """Seconds from the start of navigation to the first picture of the scene."""
    browser.get("about:blank")
    browser.get(page.resolve().as_uri())
    shown = browser.execute_async_script(
        """const done = arguments[0], look = () => {
             const [mark] = performance.getEntriesByName("scene-shown");
             mark ? done(mark.startTime) : setTimeout(look, 20);
           };
           look();"""
    )
    return float(shown) / 1000


def processor_s(browser: Any) -> float:
    """Seconds of processors that the browser's processes have had so far."""
    processes = psutil.Process(browser.service.process.pid).children(recursive=True)
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def dragged(browser: Any, kind: str) -> str:
    """Frames a second while something is dragged, in words."""
    before = processor_s(browser)
    drawn = browser.execute_script("return scenePage.drawn")
    rate, share = browser.execute_async_script(DRAG, kind, SECONDS)
    frames = browser.execute_script("return scenePage.drawn") - drawn
    spent = 1000 * (processor_s(browser) - before) / max(1, frames)
    met = f"target {TARGET_FPS:.0f}, {verdict(rate >= TARGET_FPS)}"
    return f"{kind:13s} {rate:5.1f} frames/s {met} ({100 * share:.0f} % of a side drawn, {spent:.0f} ms of processors a frame)"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, metavar="RESULTS", help="results/NAME with a report.html")
    page = parser.parse_args().results / "report.html"
    if not page.exists():
        raise SystemExit(f"{page} does not exist; run `snakemake --cores all {page}` first")
    with chromium() as browser:
        times = [first_frame_s(browser, page) for _ in range(LOADS)]
        first = statistics.median(times)
        each = ", ".join(f"{seconds:.2f}" for seconds in times)
        print(f"first frame   {first:5.2f} s        target {TARGET_S:.0f} s, {verdict(first <= TARGET_S)} ({each})")
        splats = browser.execute_script("return scenePage.view.order.splats.count")
        for name, (width, height) in SHAPES.items():
            browser.execute_script(RESIZE, width, height)
            for kind in ("slider", "turning"):
                print(f"{dragged(browser, kind)}; {name}")
    load = "" if not hasattr(os, "getloadavg") else f", load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"{splats} splats, {page.stat().st_size / 1e6:.1f} MB{load}")


def verdict(met: bool) -> str:
    return "met" if met else "missed"


if __name__ == "__main__":
    main()
