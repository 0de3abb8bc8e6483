"""Depth maps of all frames by a network, each fitted to the background's sparse points by a scale and a shift of its own.

Reads   frames/, scene.h5; weights/, where the network's folder lies
Writes  depth/
          000000.npy        depth in the background's units, 0 where it is not known
          alignment.json    the network, what it tells, and for each frame the median relative error at the sparse points
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pipeline.cli import run_stage
from pipeline.config import EstimateDepthConfig
from pipeline.depth.depth_network import DepthNetwork
from pipeline.depth.model_choice import depth_model
from pipeline.formats.frames_folder import frame_paths, read_frame
from pipeline.formats.scene_file import read_scene
from pipeline.runtime.atomic import whole
from pipeline.runtime.device import stage_device
from pipeline.runtime.errors import StageError
from pipeline.runtime.guarded_file import write_array
from pipeline.runtime.progress import progress
from pipeline.scene.depth_alignment import GOOD_FIT, AlignedDepths, MapKind, aligned_depths

log = logging.getLogger("pipeline.estimate_depth")
KINDS: dict[str, tuple[MapKind, ...]] = {"disparity": ("disparity",), "depth": ("depth", "inverse")}


def estimate_depth(frames: Path, scene: Path, weights: Path | None, depth: Path, config: EstimateDepthConfig) -> None:
    paths = frame_paths(frames)
    network = DepthNetwork(depth_model(weights, config.model), stage_device())
    log.info("depth by %s, which tells %s", network.name, network.kind)
    maps = np.concatenate(list(estimated(network, paths, config.batch_frames)))
    aligned = aligned_depths(maps, read_scene(scene), KINDS[network.kind])
    say_how_well(aligned, network.name)
    write_maps(depth, [path.stem for path in paths], aligned, network)


def estimated(
    network: DepthNetwork, paths: list[Path], batch: int
) -> Iterator[Float[np.ndarray, "frame height width"]]:
    """The network's maps, a few frames at a time."""
    starts = range(0, len(paths), batch)
    for start in progress(starts, "depth", len(starts), "batches"):
        yield network.maps(np.stack([read_frame(path) for path in paths[start : start + batch]]))


def say_how_well(aligned: AlignedDepths, name: str) -> None:
    """Log how the maps fit; refuses maps of which none does."""
    used = aligned.used
    if not used.any():
        best = f"{100 * aligned.errors.min():.0f} %" if np.isfinite(aligned.errors).any() else "no fit at all"
        raise StageError(
            f"the maps of {name} fit the sparse points of no frame (at best {best} median error; it must be below "
            f"{100 * GOOD_FIT:.0f} % and well below that of one depth for all): choose another network by "
            "estimate_depth.model, see whether the camera is good, or leave depth out"
        )
    log.info(
        "%d of %d frames: median error %.1f %% at the background's points",
        used.sum(),
        len(used),
        100 * np.median(aligned.errors[used]),
    )
    if not used.all():
        log.warning(
            "depth of %d of %d frames (first %d) does not fit the background's sparse points and is left unknown",
            (~used).sum(),
            len(used),
            int(np.argmin(used)),
        )


def write_maps(folder: Path, names: list[str], aligned: AlignedDepths, network: DepthNetwork) -> None:
    """One file a frame, in the frames' names, and how they were fitted."""
    fits = [round(float(error), 4) if np.isfinite(error) else None for error in aligned.errors]
    note = {"model": network.name, "tells": network.kind, "errors": fits, "used": aligned.used.tolist()}
    with whole(folder) as partial:
        partial.mkdir(parents=True, exist_ok=True)
        for name, depth, used in zip(names, aligned.maps, aligned.used, strict=True):
            write_array(partial / f"{name}.npy", np.where(used, depth, 0).astype(np.float32))
        (partial / "alignment.json").write_text(json.dumps(note, indent=1))


if __name__ == "__main__":
    run_stage(estimate_depth)
