"""A COLMAP workspace of undistorted frames, as `colmap image_undistorter` leaves it; Gaussian splatting reads it too.

Writes  images/, sparse/0/ (cameras, images, points3D in binary, with tracks and colours),
        masks/000000.png.png (white on the static background: COLMAP's `ImageReader.mask_path`)
"""

from pathlib import Path

import numpy as np
import pycolmap

from pipeline.cameras import inverse
from pipeline.datasets.posed_video import PosedVideo
from pipeline.formats.colmap_files import save_model
from pipeline.formats.frames_folder import write_image


def write(folder: Path, video: PosedVideo) -> None:
    """Write the folder."""
    for name, image, mask in zip(video.names, video.images, video.masks, strict=True):
        write_image(folder / "images" / name, image)
        write_image(folder / "masks" / f"{name}.png", mask)
    save_model(folder / "sparse" / "0", model_of(video))


def model_of(video: PosedVideo) -> pycolmap.Reconstruction:
    """The video as a COLMAP model; image ids are numbers of frames, from 1."""
    made, camera = pycolmap.Reconstruction(), video.camera
    made.add_camera_with_trivial_rig(
        pycolmap.Camera(model="PINHOLE", width=camera.width, height=camera.height, params=camera.values, camera_id=1)
    )
    place = np.zeros(len(video.observed_frame), int)
    poses = inverse(video.world_from_camera)
    for frame, (name, number) in enumerate(zip(video.names, video.number, strict=True)):
        own = np.flatnonzero(video.observed_frame == frame)
        place[own] = np.arange(len(own))
        image = pycolmap.Image(name, video.observed_xy[own], 1, int(number) + 1)
        made.add_image_with_trivial_frame(image, pycolmap.Rigid3d(poses[frame, :3]))
    by_point = np.argsort(video.observed_point, kind="stable")
    ends = np.cumsum(np.bincount(video.observed_point, minlength=len(video.points)))
    for point, own in enumerate(np.split(by_point, ends[:-1])):
        track = [pycolmap.TrackElement(int(video.number[video.observed_frame[i]]) + 1, int(place[i])) for i in own]
        made.add_point3D(video.points[point], pycolmap.Track(track), video.colours[point])
    made.update_point_3d_errors()
    return made
