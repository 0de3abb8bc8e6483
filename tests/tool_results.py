"""Folders as ViPE, Depth Anything 3 and MegaSaM leave them, of poses and depth that are known."""

import struct
import zlib
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics, inverse


def exr(depth: np.ndarray) -> bytes:
    """An OpenEXR image of one channel Z in half precision, by ZIP: blocks of 16 rows."""
    rows, columns = depth.shape
    window = struct.pack("<4i", 0, 0, columns - 1, rows - 1)
    attributes = {
        ("channels", "chlist"): b"Z\0" + struct.pack("<iIii", 1, 0, 1, 1) + b"\0",
        ("compression", "compression"): b"\3",
        ("dataWindow", "box2i"): window,
        ("displayWindow", "box2i"): window,
        ("lineOrder", "lineOrder"): b"\0",
        ("pixelAspectRatio", "float"): struct.pack("<f", 1),
        ("screenWindowCenter", "v2f"): struct.pack("<2f", 0, 0),
        ("screenWindowWidth", "float"): struct.pack("<f", 1),
    }
    head = b"\x76\x2f\x31\x01" + struct.pack("<I", 2)
    for (name, kind), value in attributes.items():
        head += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(value)) + value
    head += b"\0"
    blocks = [packed(first, depth[first : first + 16].astype("<f2").tobytes()) for first in range(0, rows, 16)]
    starts = np.cumsum([0, *map(len, blocks)])[:-1] + len(head) + 8 * len(blocks)
    return head + struct.pack(f"<{len(blocks)}Q", *starts) + b"".join(blocks)


def packed(first: int, raw: bytes) -> bytes:
    """Low bytes before high ones, differences of neighbours, deflated; as it is where that is no smaller."""
    data = np.frombuffer(raw[0::2] + raw[1::2], np.uint8).astype(int)
    differences = np.concatenate([data[:1], (np.diff(data) + 128) % 256]).astype(np.uint8).tobytes()
    zipped = zlib.compress(differences)
    content = zipped if len(zipped) < len(raw) else raw
    return struct.pack("<ii", first, len(content)) + content


def write_vipe(folder: Path, world_from_camera: np.ndarray, camera: Intrinsics, depth: np.ndarray | None) -> Path:
    """What `vipe infer` leaves of a video called clip."""
    count = len(world_from_camera)
    for name, data in (("pose", world_from_camera), ("intrinsics", np.tile(camera.values, (count, 1)))):
        (folder / name).mkdir(parents=True)
        np.savez(folder / name / "clip.npz", data=data.astype(np.float32), inds=np.arange(count))
    (folder / "intrinsics" / "clip_camera.txt").write_text("".join(f"{t}: PINHOLE\n" for t in range(count)))
    if depth is not None:
        (folder / "depth").mkdir()
        with ZipFile(folder / "depth" / "clip.zip", "w") as archive:
            for t, one in enumerate(depth):
                archive.writestr(f"{t:05d}.exr", exr(one))
    return folder


def write_da3(folder: Path, world_from_camera: np.ndarray | None, camera: Intrinsics, depth: np.ndarray) -> Path:
    """What Depth Anything 3 exports as mini_npz; `depth` and `camera` are those of its resized images."""
    file = folder / "exports" / "mini_npz" / "results.npz"
    file.parent.mkdir(parents=True)
    poses = {}
    if world_from_camera is not None:
        extrinsics = inverse(world_from_camera)[:, :3].astype(np.float32)
        poses = {"extrinsics": extrinsics, "intrinsics": np.tile(camera.matrix, (len(depth), 1, 1))}
    np.savez(file, depth=np.round(depth, 8).astype(np.float32), conf=np.ones(depth.shape, np.float32), **poses)
    return folder


def write_megasam(folder: Path, world_from_camera: np.ndarray, camera: Intrinsics, depth: np.ndarray) -> Path:
    """What MegaSaM leaves after depth was optimised; `depth` and `camera` are those of its cut images."""
    (folder / "outputs_cvd").mkdir(parents=True)
    np.savez(
        folder / "outputs_cvd" / "clip_sgd_cvd_hr.npz",
        images=np.zeros((*depth.shape, 3), np.uint8),
        depths=np.clip(depth.astype(np.float16), 1e-3, 1e2),
        intrinsic=camera.matrix,
        cam_c2w=world_from_camera,
    )
    return folder


def write_tracking(folder: Path, world_from_camera: np.ndarray, camera: Intrinsics, depth: np.ndarray) -> Path:
    """What MegaSaM's camera tracking leaves; depth that is not known is 0."""
    folder.mkdir(parents=True)
    poses = inverse(world_from_camera)
    quaternions = Rotation.from_matrix(poses[:, :3, :3]).as_quat()
    np.save(folder / "poses.npy", np.concatenate([poses[:, :3, 3], quaternions], axis=1).astype(np.float32))
    np.save(folder / "intrinsics.npy", np.tile(camera.values, (len(poses), 1)))
    np.save(folder / "disps.npy", (1 / (depth + 1e-6)).astype(np.float32))
    return folder
