"""Depth maps that a person gives."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.runtime.errors import StageError
from pipeline.scene.depth_maps import away_from_borders, drawn_pixels, given_scales, read_depths
from tests.analytic_world import FRAMES, HEIGHT, TRUE_SCALES, WIDTH, analytic_scene, analytic_truth

TRUTH = analytic_truth()
SCENE = analytic_scene(TRUTH)


def written(folder: Path, factor: float = 1.0) -> Path:
    """The true depth maps in other units."""
    folder.mkdir()
    for frame, depth in enumerate(TRUTH.train.depth):
        np.save(folder / f"{frame}.npy", factor * np.where(np.isfinite(depth), depth, 0))
    return folder


def test_true_depth_in_any_unit_gives_the_true_scales(tmp_path: Path):
    for number, factor in enumerate((1.0, 37.0)):
        scales = given_scales(written(tmp_path / str(number), factor), SCENE)
        assert scales == pytest.approx(TRUE_SCALES, rel=5e-3)


def test_images_of_16_bits_at_another_size_are_read_in_the_order_of_their_numbers(tmp_path: Path):
    for frame in range(FRAMES):
        image = np.full((2 * HEIGHT, 2 * WIDTH), 100 * frame + 300, np.uint16)
        cv2.imwrite(str(tmp_path / f"depth{frame + 95}.png"), image)
    depth = read_depths(tmp_path, SCENE).maps
    assert depth.shape == (FRAMES, HEIGHT, WIDTH) and depth[:, 0, 0].tolist() == [100 * t + 300 for t in range(FRAMES)]


def test_depth_that_does_not_fit_is_refused(tmp_path: Path):
    folder = written(tmp_path / "depth")
    (folder / "0.npy").unlink()
    with pytest.raises(StageError, match=f"are {FRAMES - 1} for {FRAMES} frames"):
        given_scales(folder, SCENE)
    np.save(folder / "0.npy", np.zeros((HEIGHT, WIDTH, 3)))
    with pytest.raises(StageError, match="one number a pixel"):
        given_scales(folder, SCENE)
    for frame in range(FRAMES):
        np.save(folder / f"{frame}.npy", np.zeros((HEIGHT, WIDTH)))
    with pytest.raises(StageError, match="gives a depth to 0 points of background"):
        given_scales(folder, SCENE)


@pytest.mark.parametrize("form", ["npz", "disparity", "disparity from a network"])
def test_depth_comes_in_many_forms(tmp_path: Path, form: str):
    """A network's disparity has an unknown scale and shift in every frame; the sparse points tell both."""
    random = np.random.default_rng(0)
    for frame, depth in enumerate(TRUTH.train.depth):
        known = np.isfinite(depth) & (depth > 0)
        inverse = np.where(known, 1 / np.where(known, depth, 1), 0)
        scale, shift = random.uniform(0.5, 2), random.uniform(0, 0.3)
        array = {"npz": depth, "disparity": inverse}.get(form, np.where(known, scale * inverse + shift, 0))
        np.savez(tmp_path / f"{frame}.npz", depth=np.where(known, array, 0), preview=np.zeros(3))
    assert given_scales(tmp_path, SCENE) == pytest.approx(TRUE_SCALES, rel=2e-2)


def test_previews_and_system_files_beside_arrays_are_no_depth(tmp_path: Path):
    folder = written(tmp_path / "depth")
    for frame in range(FRAMES):
        cv2.imwrite(str(folder / f"{frame}.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (folder / "._0.npy").write_bytes(b"junk")
    assert given_scales(folder, SCENE) == pytest.approx(TRUE_SCALES, rel=5e-3)


def test_depth_of_another_aspect_and_colour_maps_are_refused(tmp_path: Path):
    for frame in range(FRAMES):
        np.save(tmp_path / f"{frame}.npy", np.ones((HEIGHT, HEIGHT)))
    with pytest.raises(StageError, match="another shape"):
        read_depths(tmp_path, SCENE)
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (tmp_path / "0.npy").unlink()
    with pytest.raises(StageError, match="colours are for people to look at"):
        read_depths(tmp_path, SCENE)


def test_one_array_may_hold_the_depth_of_all_frames(tmp_path: Path) -> None:
    stack = np.stack([np.where(np.isfinite(depth), depth, 0) for depth in TRUTH.train.depth])
    np.savez(tmp_path / "all.npz", depths=stack[..., None], fps=np.array(24))
    for path in (tmp_path, tmp_path / "all.npz"):
        np.testing.assert_array_equal(read_depths(path, SCENE).maps, stack.astype(np.float32))


def test_an_archive_with_masks_gives_its_depth_and_other_forms_are_named(tmp_path: Path) -> None:
    for frame in range(FRAMES):
        np.savez(tmp_path / f"{frame}.npz", mask=np.ones((HEIGHT, WIDTH)), depth=np.full((HEIGHT, WIDTH), frame + 2.0))
    assert read_depths(tmp_path, SCENE).maps[3, 0, 0] == 5
    np.savez(tmp_path / "0.npz", a=np.ones((HEIGHT, WIDTH)), b=np.ones((HEIGHT, WIDTH)))
    with pytest.raises(StageError, match="which is the depth"):
        read_depths(tmp_path, SCENE)
    (tmp_path / "exr").mkdir()
    (tmp_path / "exr" / "0.exr").write_bytes(b"v/1")
    with pytest.raises(StageError, match=r"holds no depth maps .*but \.exr"):
        read_depths(tmp_path / "exr", SCENE)


def test_pixels_beside_the_border_of_a_mask_are_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.scene.depth_maps.BORDER_SHARE", 2 / WIDTH)
    truth = analytic_truth()
    scene = analytic_scene(truth)
    np.save(tmp_path / "depth.npy", truth.train.depth)
    drawn = drawn_pixels(tmp_path, scene, 0, WIDTH * HEIGHT)
    for frame in range(FRAMES):
        ids, own = scene.object_ids[frame], drawn.frame == frame
        told = np.zeros(ids.shape, bool)
        told[drawn.row[own], drawn.column[own]] = True
        beside = cv2.dilate(ids, np.ones((3, 3), np.uint8)) != cv2.erode(ids, np.ones((3, 3), np.uint8))
        assert not (told & beside).any()
        assert all((told & (ids == k)).any() for k in np.unique(ids))


def test_a_thing_that_is_all_border_keeps_its_inner_half() -> None:
    ids = np.zeros((20, 30), np.uint8)
    ids[:, 10:15] = 1  # five pixels wide, from one border of the image to the other
    told = away_from_borders(ids, 8.0)
    assert told[:, 11:14].all() and not told[:, 10].any() and not told[:, 14].any()
    assert told[:, :3].all() and not told[:, 3:10].any()  # the image's own border is no border of a mask
    assert away_from_borders(np.zeros((4, 4), np.uint8), 8.0).all()
