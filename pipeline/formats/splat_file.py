"""Splats as a PLY file that the viewers of 3D Gaussian Splatting read (SuperSplat, nerfstudio and others)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from pipeline.runtime.errors import StageError

PLACES, NORMALS, COLOURS = ("x", "y", "z"), ("nx", "ny", "nz"), ("f_dc_0", "f_dc_1", "f_dc_2")
SCALES, ROTATIONS = ("scale_0", "scale_1", "scale_2"), ("rot_0", "rot_1", "rot_2", "rot_3")
PROPERTIES = (*PLACES, *NORMALS, *COLOURS, "opacity", *SCALES, *ROTATIONS)
FORMAT = "binary_little_endian 1.0"
BAND_0 = 0.28209479177387814  # the constant spherical harmonic


@dataclass(frozen=True)
class Splats:
    """As the file has them: logarithms of scales, quaternions (w, x, y, z), logits of opacities, coefficients of colours."""

    places: Float[np.ndarray, "splat xyz=3"]
    log_scales: Float[np.ndarray, "splat xyz=3"]
    rotations: Float[np.ndarray, "splat wxyz=4"]
    opacities: Float[np.ndarray, "splat"]
    colours: Float[np.ndarray, "splat rgb=3"]

    @property
    def rgb(self) -> Float[np.ndarray, "splat rgb=3"]:
        """Colours as they are shown."""
        return (0.5 + BAND_0 * self.colours).clip(0, 1)


def header(count: int) -> bytes:
    """The file's first lines."""
    lines = ["ply", f"format {FORMAT}", f"element vertex {count}", *(f"property float {name}" for name in PROPERTIES)]
    return "\n".join([*lines, "end_header", ""]).encode()


def write_splats(path: Path, splats: Splats) -> None:
    """Write one file; whoever calls sees to it that it appears whole."""
    nothing = np.zeros_like(splats.places)
    columns = (splats.places, nothing, splats.colours, splats.opacities[:, None], splats.log_scales, splats.rotations)
    table = np.concatenate(columns, axis=1).astype("<f4")
    path.write_bytes(header(len(table)) + table.tobytes())


def read_splats(path: Path) -> Splats:
    """Read a file of ours, or one of another program's with these properties in this order."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StageError(f"cannot read {path}: {error.strerror}; run export_splats again") from error
    head, end, body = data.partition(b"end_header\n")
    words = [line.split() for line in head.decode(errors="replace").splitlines()]
    count = next((int(line[2]) for line in words if line[:2] == ["element", "vertex"] and line[2].isdigit()), -1)
    if not end or head + end != header(count) or len(body) != 4 * len(PROPERTIES) * count:
        raise StageError(f"{path} is not a whole file of splats; delete it and run export_splats again")
    table = np.frombuffer(body, "<f4").reshape(count, len(PROPERTIES)).astype(np.float32)
    at = {name: column for column, name in enumerate(PROPERTIES)}
    places, scales, rotations, colours = (
        table[:, [at[name] for name in names]] for names in (PLACES, SCALES, ROTATIONS, COLOURS)
    )
    return Splats(places, scales, rotations, table[:, at["opacity"]], colours)
