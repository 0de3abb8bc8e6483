"""Milliseconds until the live viewer answers a slider, in headless Chromium and before it.

    python -m benchmarks.live_viewer results/NAME [--steps 40] [--splats]

An arrow key on a scale's slider changes it by a step. Told are, of all steps: how long the page's server takes to place the
objects and to judge the scales (the state alone, without network or browser), and how long it is from the key until the
verdict stands in the browser. Software rendering takes the browser's own thread: the scene is hidden, so that the answer is
measured and not the drawing; `--splats` leaves it there.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.live.controls import STEP
from pipeline.live.local_server import HOST, started_server
from pipeline.live.page import LivePage
from pipeline.live.trained_run import read_run

KEYS = """const [uuid, key, done] = arguments, slider = document.querySelector(`[id="${uuid}"] [role="slider"]`);
const begun = performance.now(), text = () => document.body.innerText.match(/score [0-9.]+|× [0-9.]+/g)?.join();
const before = text(), watch = new MutationObserver(() => {
  if (text() === before) return;
  watch.disconnect();
  done(performance.now() - begun);
});
watch.observe(document.body, {subtree: true, childList: true, characterData: true});
slider.dispatchEvent(new KeyboardEvent("keydown", {key, code: key, bubbles: true}));"""
SIZE = (900, 800)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--splats", action="store_true", help="draw the scene while measuring")
    arguments = parser.parse_args()
    page = LivePage(started_server(0, "benchmark"), read_run(arguments.results))
    page.renders.turned_on = False
    index = next(iter(page.controls.sliders))
    print(f"server alone: {told(server_ms(page, index, arguments.steps))}")
    if not arguments.splats:
        page.server.scene.set_global_visibility(False)
    print(f"key to verdict in Chromium: {told(browser_ms(page, index, arguments.steps))}")


def told(milliseconds: list[float]) -> str:
    median, late = np.percentile(milliseconds, [50, 95])
    return f"median {median:.0f} ms, 95 % within {late:.0f} ms, longest {max(milliseconds):.0f} ms"


def server_ms(page: LivePage, index: int, steps: int) -> list[float]:
    """The state alone, all over the range: valid and invalid scales."""
    low, high = np.log10(page.run.scene.scale_range[index].astype(np.float64))
    taken = []
    for value in np.linspace(low, high, steps):
        begun = time.perf_counter()
        page.slid(index, float(10**value))
        taken.append(1000 * (time.perf_counter() - begun))
    return taken


def browser_ms(page: LivePage, index: int, steps: int) -> list[float]:
    """From key to verdict, near the upper end of the range: there a step changes the digits that are shown."""
    browser = chromium()
    try:
        browser.get(f"http://{HOST}:{page.server.get_port()}/?fixedDpr=0.2")
        uuid = page.controls.sliders[index]._impl.uuid
        while not browser.find_elements("css selector", f'[id="{uuid}"] [role="slider"]'):
            time.sleep(0.2)
        keys = ["ArrowLeft" if (step // 20) % 2 else "ArrowRight" for step in range(steps)]
        high = float(np.log10(page.run.scene.scale_range[index, 1]))
        page.slid(index, 10 ** (round(high / STEP - steps) * STEP))
        time.sleep(3)
        return [float(browser.execute_async_script(KEYS, uuid, key)) for key in keys]
    finally:
        browser.quit()


def chromium() -> Any:
    """Headless Chromium with a profile of its own."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    flags = "headless no-sandbox disable-gpu enable-unsafe-swiftshader no-first-run window-size={},{}".format(*SIZE)
    for flag in (*flags.split(), f"user-data-dir={tempfile.mkdtemp()}"):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    browser.set_script_timeout(60)
    return browser


if __name__ == "__main__":
    main()
