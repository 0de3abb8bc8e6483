"""Look at trained scenes live: move through time, give each object another scale, edit, lay a camera path.

    python -m pipeline.view_scene results/NAME [results/OTHER ...]

serves a page on this machine alone. Splats or points show at once what is chosen; where a view rests, the trained fields
are rendered in their place. The page says whether the scales explain the video, and who would hide whom where they do not.
A run that is still in training is shown as it was kept last. Several runs are shown side by side; results/NAME/METHOD
names one method of a scene. Not a stage: nothing in the graph depends on it.
"""

import argparse
import logging
import socket
import threading
from pathlib import Path

from pipeline.cli import port, run_server
from pipeline.live.local_server import HOST, started_server
from pipeline.live.page import LivePage
from pipeline.live.renewal import keep_new
from pipeline.live.side_by_side import FramesServer, Together, page_of_frames
from pipeline.live.trained_run import TrainedRun, read_run

log = logging.getLogger("pipeline.view_scene")


def view_scene(results: list[Path], port: int, config: Path) -> None:
    """Serve the page until it is interrupted."""
    runs = [read_run(folder) for folder in results]
    if len(runs) == 1:
        page = served(runs[0], port, config)
        tell(page.server.get_port(), [], runs[0].label)
        threading.Event().wait()
        return
    pages = [served(run, port + 1 if port else 0, config) for run in runs]
    Together(pages)
    ports = [page.server.get_port() for page in pages]
    frames = page_of_frames([(run.label, number) for run, number in zip(runs, ports, strict=True)])
    with FramesServer(port, frames) as server:
        tell(server.server_port, ports, " beside ".join(run.label for run in runs))
        server.serve_forever()


def served(run: TrainedRun, port: int, config: Path) -> LivePage:
    """The page of one run, which takes over what its training keeps."""
    page = LivePage(started_server(port, run.name), run, config)
    keep_new(page)
    return page


def tell(port: int, more: list[int], what: str) -> None:
    """Where the page is, from here and from elsewhere."""
    tunnels = " ".join(f"-L {number}:{HOST}:{number}" for number in [port, *more])
    log.info("http://%s:%d shows %s; end with Ctrl-C", HOST, port, what)
    log.info("from another machine: ssh %s %s", tunnels, socket.gethostname())


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.view_scene", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "results",
        type=Path,
        nargs="+",
        metavar="RESULTS",
        help="results/NAME of a trained scene, or results/NAME/METHOD",
    )
    parser.add_argument("--port", type=port, default=8080, help="default: 8080, or the next that is free")
    parser.add_argument(
        "--config", type=Path, default=Path("config.yaml"), metavar="PATH", help="where edits are saved: config.yaml"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    run_server(view_scene, vars(parse(arguments)))


if __name__ == "__main__":
    main()
