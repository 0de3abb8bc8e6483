"""Downloads pretrained weights; nothing needs them, and stages use what they find.

Reads   the net  the addresses that modules declare in WEIGHTS (pipeline/runtime/weights.py collects them), over https
Writes  weights/ one file each, checked by its SHA-256 and renamed when whole; files that are there stay as they are
"""

import logging
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from pipeline.cli import run_stage
from pipeline.config import DownloadWeightsConfig
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.runtime.weights import Weight, is_genuine, known_weights

log = logging.getLogger(__name__)
SECONDS_OF_SILENCE = 30


def download_weights(weights: Path, config: DownloadWeightsConfig) -> None:
    wanted = [known_weight(name) for name in config.files]
    for weight in wanted:
        if (weights / weight.file).exists():
            log.info("%s is already there", weight.file)
        else:
            download(weight, weights / weight.file)


def known_weight(name: str) -> Weight:
    """The table's entry of a file that can be downloaded."""
    offered = {weight.file: weight for weight in known_weights() if weight.address}
    if name not in offered:
        raise StageError(f"no address is known for the weights file {name}; choose from {', '.join(offered)}")
    return offered[name]


def download(weight: Weight, path: Path) -> None:
    """Fetch one file; nothing is left behind unless it is the published one."""
    assert weight.address is not None and weight.address.startswith("https://")
    log.info("downloading %s, %.0f MB, licence %s", weight.address, weight.size_mb, weight.licence)
    try:
        with (
            whole(path) as partial,
            urllib.request.urlopen(weight.address, timeout=SECONDS_OF_SILENCE) as answer,
        ):
            with partial.open("wb") as file:
                shutil.copyfileobj(answer, file, 1 << 20)
            if not is_genuine(partial, weight):
                raise StageError(
                    f"{weight.address} is not the published file: its SHA-256 does not begin with {weight.sha256}; "
                    "try again, or fetch it by hand into weights/"
                )
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise StageError(
            f"cannot download {weight.address} ({reason}); nothing was changed, and everything runs without it; "
            f"when there is a connection, try again or put the file into {path.parent} by hand"
        ) from error


if __name__ == "__main__":
    run_stage(download_weights)
