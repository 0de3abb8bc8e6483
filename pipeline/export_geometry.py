"""Every object's geometry in the forms that other tools go on from: COLMAP, PLY, and nerfstudio's transforms.json with masks.

Each object is in the frame and the units of its own reconstruction, in which the object stands and the camera moves. Where
geometry.json tells a lens of the frames, images and masks are the pinhole views that the reconstruction is of.

Reads   frames/, masks.h5
        reconstruction/   one COLMAP model per object
        geometry.json     verdicts
Writes  export/
          images/000000.png      the frames, undistorted
          geometry.json          what each object is worth, and the lens that was undone, if there was one
          {id}/sparse/0/         COLMAP model with coloured points
          {id}/points.ply        the points
          {id}/transforms.json   cameras for nerfstudio, of the frames in which the object is registered
          {id}/masks/000000.png  white on the object
"""

import logging
import shutil
from pathlib import Path

import numpy as np
import pycolmap
from jaxtyping import Bool

from pipeline.cameras import inverse
from pipeline.cli import run_stage
from pipeline.formats.colmap_files import save_model, save_points
from pipeline.formats.frames_folder import frame_paths, read_frame, write_image
from pipeline.formats.geometry_file import ObjectGeometry, lens_words, read_geometry
from pipeline.formats.lens import Undistortion, straight_ids
from pipeline.formats.masks_file import read_masks
from pipeline.formats.transforms_file import NamedPoses, write_transforms
from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError
from pipeline.runtime.progress import progress
from pipeline.sfm.colmap import homogeneous, intrinsics_of, read_model

log = logging.getLogger("pipeline.export_geometry")


def export_geometry(frames: Path, masks: Path, reconstruction: Path, geometry: Path, export: Path) -> None:
    """Write the geometry of every object."""
    paths, object_ids = frame_paths(frames), read_masks(masks)
    if len(paths) != len(object_ids):
        raise StageError(f"{masks} has {len(object_ids)} frames, {frames} has {len(paths)}; run segment_objects again")
    judged = read_geometry(geometry)
    object_ids = straight_ids(judged.view, object_ids)
    with whole(export) as partial:
        export_images(paths, judged.view, partial / "images")
        shutil.copyfile(geometry, partial / "geometry.json")
        for entry in progress(judged.objects, "exporting object", unit="objects"):
            model = coloured_model(reconstruction / str(entry.id), partial / "images")
            write_object(partial / str(entry.id), model, object_ids == entry.id)
            warn_of(entry)
    log.info("%d objects are in %s%s", len(judged.objects), export, lens_words(judged))


def export_images(paths: list[Path], view: Undistortion | None, folder: Path) -> None:
    """The frames as files; as they are where there is nothing to undo."""
    folder.mkdir(parents=True)
    for path in paths:
        if view is None:
            shutil.copyfile(path, folder / path.name)
        else:
            write_image(folder / path.name, view.apply(read_frame(path)))


def coloured_model(folder: Path, images: Path) -> pycolmap.Reconstruction:
    """The model of an object, its points in the mean colour of the pixels that show them."""
    model = read_model(folder)
    if model.num_points3D():
        pycolmap.logging.minloglevel = int(pycolmap.logging.ERROR)
        model.extract_colors_for_all_images(images, num_threads=1)
    return model


def write_object(folder: Path, model: pycolmap.Reconstruction, masks: Bool[np.ndarray, "frame height width"]) -> None:
    """One object's folder."""
    save_model(folder / "sparse" / "0", model)
    save_points(folder / "points.ply", model)
    images = [model.image(number) for number in sorted(model.reg_image_ids())]
    for image in images:
        mask = masks[image.image_id - 1]
        write_image(folder / "masks" / image.name, np.where(mask, np.uint8(255), np.uint8(0)))
    if images:
        matrices = np.stack([homogeneous(image.cam_from_world().matrix()) for image in images])
        poses = NamedPoses([f"../images/{image.name}" for image in images], inverse(matrices), None)
        camera = intrinsics_of(model.camera(images[0].camera_id))
        write_transforms(
            folder / "transforms.json", poses, camera, [f"masks/{image.name}" for image in images], "points.ply"
        )


def warn_of(entry: ObjectGeometry) -> None:
    """Whoever goes on from an object must know what it is worth."""
    if entry.verdict != "ok":
        log.warning("%s", entry.doubt)


if __name__ == "__main__":
    run_stage(export_geometry)
