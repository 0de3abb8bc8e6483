"""Look at a trained scene live: move through time, and give each object another scale.

    python -m pipeline.view_scene results/NAME

serves a page on this machine alone. Splats show at once what is chosen; where a view rests, the trained fields are
rendered behind them. The page says whether the scales explain the video, and who would hide whom where they do not.
It needs viser: `pip install -e '.[viewer]'`.
"""

import argparse
import logging
import socket
import threading
from pathlib import Path
from typing import Any

from pipeline.cli import port, run_server
from pipeline.formats.scene_file import FLOW_FIELDS, read_scene
from pipeline.formats.splats_folder import read_object_splats
from pipeline.live.page import LivePage
from pipeline.live.scene_choice import SceneChoice
from pipeline.rendering.trained_method import load_method
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError

log = logging.getLogger("pipeline.view_scene")
HOST = "127.0.0.1"


def view_scene(results: Path, port: int) -> None:
    """Serve the page until it is interrupted."""
    choice, splats = trained_scene(results)
    server = started_server(port, results.resolve().name)
    LivePage(server, choice, splats)
    found = server.get_port()
    log.info("http://%s:%d shows %s; end with Ctrl-C", HOST, found, results)
    log.info("from another machine: ssh -L %d:%s:%d %s", found, HOST, found, socket.gethostname())
    threading.Event().wait()


def trained_scene(results: Path) -> tuple[SceneChoice, dict[int, Any]]:
    """The trained OSN of a scene and its splats."""
    folder = results / "osn"
    if not (folder / "splats").is_dir():
        raise StageError(f"{folder / 'splats'} does not exist; run `snakemake --cores all {folder / 'splats'}` first")
    scene = read_scene(results / "scene.h5", without=FLOW_FIELDS)
    if not scene.visible[0].any():
        raise StageError(
            f"{results} has no frame with a known camera, so there is nothing to look at; see geometry.json"
        )
    method = load_method(folder / "checkpoint.pt", scene, stage_device())
    return SceneChoice.suggested(method), read_object_splats(folder / "splats")


def started_server(port: int, label: str) -> Any:
    """A viser server that this machine alone can reach."""
    try:
        import viser
    except ImportError as error:
        raise StageError(f"view_scene needs viser ({error}): pip install -e '.[viewer]'") from error
    return viser.ViserServer(host=HOST, port=port, label=label, verbose=False)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.view_scene", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, metavar="RESULTS", help="results/NAME of a trained scene")
    parser.add_argument("--port", type=port, default=8080, help="default: 8080, or the next that is free")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    run_server(view_scene, vars(parse(arguments)))


if __name__ == "__main__":
    main()
