"""Given masks in unusual files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.formats.frame_files import KeptFrames
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.mask_folder import read_key_masks, read_mask_folder
from pipeline.runtime.errors import StageError


def kept(count: int, source: list[int] | None = None, total: int | None = None) -> KeptFrames:
    """The frames of a video, of which all are kept, or those with the given source indices."""
    index = source or list(range(count))
    return KeptFrames([frame_name(t) for t in range(count)], index, total or count, [])


def squares(dtype: type) -> np.ndarray:
    """Ids 0 and 2."""
    ids = np.zeros((20, 30), dtype)
    ids[5:9, 5:9] = 2
    return ids


def test_whole_numbers_kept_as_floats_are_ids(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", squares(np.float32))
    np.testing.assert_array_equal(read_mask_folder(tmp_path, kept(1), (20, 30)).object_ids[0], squares(np.uint8) // 2)


@pytest.mark.parametrize(("value", "shown"), [(0.25, "0.25"), (np.nan, "nan"), (np.inf, "inf")])
def test_probabilities_are_no_ids(tmp_path: Path, value: float, shown: str) -> None:
    ids = squares(np.float64)
    ids[0, :3] = value
    np.save(tmp_path / "0.npy", ids)
    with pytest.raises(StageError, match=rf"0\.npy has 3 values that are not whole numbers, as {shown}"):
        read_mask_folder(tmp_path, kept(1), (20, 30))


def test_grey_images_with_opacity_have_ids(tmp_path: Path) -> None:
    opaque = np.full((20, 30), 255, np.uint8)
    Image.fromarray(np.dstack([squares(np.uint8), opaque]), "LA").save(tmp_path / "0.png")
    assert read_mask_folder(tmp_path, kept(1), (20, 30)).names == ["2"]


def test_three_hundred_colours_are_too_many(tmp_path: Path) -> None:
    colours = np.zeros((20, 30, 3), np.uint8)
    colours.reshape(-1, 3)[:300] = [(n // 256 + 1, n % 256, 7) for n in range(300)]
    write_image(tmp_path / "0.png", colours)
    with pytest.raises(StageError, match="300 are nowhere an area"):
        read_mask_folder(tmp_path, kept(1), (20, 30))


def test_the_frame_without_a_mask_is_named(tmp_path: Path) -> None:
    for t in (0, 1, 3):
        write_image(tmp_path / f"mask_{t:04d}.png", squares(np.uint8))
    with pytest.raises(
        StageError, match=r"are 3 for 4 frames \(no file has the number 2\): frame 2 .* has none; .*key_frames: true"
    ):
        read_mask_folder(tmp_path, kept(4), (20, 30))


def test_masks_that_are_named_by_their_time_miss_no_number(tmp_path: Path) -> None:
    for nanoseconds in (1403636579763555584, 1403636579813555456):
        write_image(tmp_path / f"{nanoseconds}.png", squares(np.uint8))
    with pytest.raises(StageError, match="are 2 for 4 frames: 2 names"):
        read_mask_folder(tmp_path, kept(4), (20, 30))


def test_key_masks_without_a_frame_say_both_ways_out(tmp_path: Path) -> None:
    write_image(tmp_path / "car.png", squares(np.uint8))
    with pytest.raises(StageError, match="rename it, or give one mask a frame and leave key_frames out"):
        read_key_masks(tmp_path, kept(4), (20, 30))


def disc(row: float, column: float, softness: float = 0.0) -> np.ndarray:
    """A disc from 0 to 1, with a hard or a soft edge."""
    y, x = np.mgrid[:40, :60]
    distance = np.hypot(y - row, x - column) - 8
    return np.clip(0.5 - distance / softness, 0, 1) if softness else (distance < 0).astype(float)


DISCS = np.stack([disc(20, 18 + 3 * t) for t in range(4)]) > 0.5
SOFT = np.stack([disc(20, 18 + 3 * t, 4.0) for t in range(4)])


def save(folder: Path, name: str, array: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".npy"):
        np.save(folder / name, array)
    elif name.endswith(".npz"):
        np.savez(folder / name, mask=array, score=0.5)
    else:
        Image.fromarray(array).save(folder / name)


WHITE = {
    "grey": lambda mask: (mask * 255).astype(np.uint8),
    "colour": lambda mask: np.repeat((mask * 255).astype(np.uint8)[..., None], 3, 2),
    "one channel": lambda mask: (mask * 255).astype(np.uint8),
    "cut out": lambda mask: np.dstack([np.full((*mask.shape, 3), 90, np.uint8), (mask * 255).astype(np.uint8)]),
}


@pytest.mark.parametrize("name", WHITE)
def test_black_and_white_is_one_object(tmp_path: Path, name: str) -> None:
    for t, mask in enumerate(DISCS):
        save(tmp_path, f"{t}.png", WHITE[name](mask))
    given = read_mask_folder(tmp_path, kept(4), (40, 60))
    np.testing.assert_array_equal(given.object_ids, DISCS)
    assert given.decided == ["black and white: one object", "by number, one for every frame of the video"]


def test_a_picture_cut_out_on_transparency_is_its_opacity(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    for t, mask in enumerate(DISCS):
        save(tmp_path, f"{t}.png", np.dstack([picture, (mask * 255).astype(np.uint8)]))
    np.testing.assert_array_equal(read_mask_folder(tmp_path, kept(4), (40, 60)).object_ids, DISCS)


@pytest.mark.parametrize("suffix", ["png", "npy"])
def test_soft_edges_are_cut_at_half(tmp_path: Path, suffix: str) -> None:
    """A grey level is no object: of 200 there would be 200 objects around one disc."""
    for t, soft in enumerate(SOFT):
        save(tmp_path, f"{t}.{suffix}", (soft * 254).round().astype(np.uint8) if suffix == "png" else soft)
    given = read_mask_folder(tmp_path, kept(4), (40, 60))
    assert given.names == ["white"] and "soft edges" in given.decided[0]
    assert (given.object_ids != (SOFT >= 0.5)).sum() <= 4


@pytest.mark.parametrize("colours", [False, True])
def test_smoothed_borders_between_several_objects_are_refused(tmp_path: Path, colours: bool) -> None:
    for t, soft in enumerate(SOFT):
        other = disc(20, 45, 4.0)
        grey = (np.maximum(100 * soft, 200 * other)).round().astype(np.uint8)
        save(tmp_path, f"{t}.png", np.dstack([grey, grey // 2, 0 * grey]) if colours else grey)
    with pytest.raises(StageError, match=r"nowhere an area: borders are smoothed.*without anti-aliasing"):
        read_mask_folder(tmp_path, kept(4), (40, 60))


def test_many_ids_that_are_areas_stay_ids(tmp_path: Path) -> None:
    ids = np.kron(np.arange(20, dtype=np.uint8).reshape(4, 5) * 12, np.ones((10, 12), np.uint8))
    save(tmp_path, "0.png", ids)
    save(tmp_path, "1.png", ids)
    assert len(read_mask_folder(tmp_path, kept(2), (40, 60)).names) == 19


@pytest.mark.parametrize("layout", ["folders", "files", "stack", "layers last", "one array"])
def test_one_mask_an_object_and_frame(tmp_path: Path, layout: str) -> None:
    expected = np.zeros((4, 40, 60), np.uint8)
    expected[DISCS], expected[:, 2:6, 50:58] = 1, 2
    pair = np.stack([expected == 1, expected == 2])
    for t in range(4):
        for k, name in enumerate(("cup", "dog")):
            mask = (pair[k, t] * 255).astype(np.uint8)
            if layout == "folders":
                save(tmp_path / name, f"{t:05d}.PNG", mask)
            elif layout == "files":
                save(tmp_path, f"{t:05d}_{name}{k + 1}.png", mask)
        if layout == "stack":
            save(tmp_path, f"{t}.npy", pair[:, t, None])
        elif layout == "layers last":
            save(tmp_path, f"{t}.npz", np.moveaxis(pair[:, t], 0, 2).astype(np.uint8))
    if layout == "one array":
        save(tmp_path, "all.npy", expected)
    given = read_mask_folder(tmp_path, kept(4), (40, 60))
    np.testing.assert_array_equal(given.object_ids, expected)
    assert given.names == {"folders": ["cup", "dog"], "files": ["cup1", "dog2"]}.get(layout, ["1", "2"])
    assert any(layout.rstrip("s") in words for words in given.decided) == (layout in ("folders", "files", "one array"))


def test_where_objects_overlap_the_smallest_is_kept_and_it_is_said(tmp_path: Path) -> None:
    for t in range(2):
        for name, rows in (("large", 30), ("small", 10)):
            mask = np.zeros((40, 60), np.uint8)
            mask[:rows, :20] = 255
            save(tmp_path / name, f"{t}.png", mask)
    given = read_mask_folder(tmp_path, kept(2), (40, 60))
    assert (given.object_ids[:, :10, :20] == 2).all() and (given.object_ids[:, 10:30, :20] == 1).all()
    assert "33 % of the masked pixels" in given.doubts[0]


def test_masks_of_every_frame_of_the_video_are_picked_by_source_index(tmp_path: Path) -> None:
    for n in range(8):
        save(tmp_path, f"{n}.png", np.full((20, 30), n + 1, np.uint8) * (np.arange(30) < 20).astype(np.uint8))
    given = read_mask_folder(tmp_path, kept(3, [0, 4, 7], 8), (20, 30))
    assert given.names == ["1", "5", "8"] and given.object_ids[:, 0, 0].tolist() == [1, 2, 3]


def test_arrays_count_before_pictures_of_them_and_system_files_never(tmp_path: Path) -> None:
    for t in range(2):
        save(tmp_path, f"{t}.npy", squares(np.uint8))
        save(tmp_path, f"{t}.png", 100 * squares(np.uint8))
        (tmp_path / f"._{t}.png").write_bytes(b"junk")
    assert read_mask_folder(tmp_path, kept(2), (20, 30)).names == ["2"]


def test_jpeg_masks_are_refused(tmp_path: Path) -> None:
    save(tmp_path, "0.jpg", squares(np.uint8))
    with pytest.raises(StageError, match=r"masks as \.jpg.*save them as PNG"):
        read_mask_folder(tmp_path, kept(1), (20, 30))


def test_inverted_masks_stop_and_ids_go_on(tmp_path: Path) -> None:
    for frame in range(5):
        black = DISCS[0] if frame else np.ones_like(DISCS[0])  # something passes before the camera
        save(tmp_path, f"{frame}.png", np.where(black, 0, 255).astype(np.uint8))
    with pytest.raises(StageError, match=r"look inverted: white covers .*255 - mask.* save it as the id 1"):
        read_mask_folder(tmp_path, kept(5), (40, 60))
    for frame in range(5):
        save(tmp_path, f"{frame}.png", np.where(DISCS[0], 0, 1).astype(np.uint8))
    assert read_mask_folder(tmp_path, kept(5), (40, 60)).names == ["1"]


def test_white_almost_everywhere_is_doubted(tmp_path: Path) -> None:
    """A thing that fills the picture but for its upper corners."""
    thing = np.full((40, 60), 255, np.uint8)
    thing[:12, :20] = thing[:12, 45:] = 0
    save(tmp_path, "0.png", thing)
    assert "is the object the black part" in read_mask_folder(tmp_path, kept(1), (40, 60)).doubts[0]


def test_an_archive_of_several_arrays_without_a_known_name_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", a=squares(np.uint8), b=squares(np.uint8))
    with pytest.raises(StageError, match="holds a, b; which is the mask"):
        read_mask_folder(tmp_path, kept(1), (20, 30))


def test_sixteen_bit_palette_colour_and_npy_masks_mean_the_same(tmp_path: Path) -> None:
    ids = np.zeros((20, 30), np.uint16)
    ids[5:9, 5:9], ids[12:15, 20:25] = 300, 1000
    colours = np.zeros((20, 30, 3), np.uint8)
    colours[ids == 300], colours[ids == 1000] = (10, 200, 30), (200, 10, 30)
    palette = Image.fromarray(np.select([ids == 300, ids == 1000], [1, 2], 0).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    for name in ("ids", "colour", "palette", "npy"):
        (tmp_path / name).mkdir()
    write_image(tmp_path / "ids" / "0.png", ids)
    write_image(tmp_path / "colour" / "0.png", colours)
    palette.save(tmp_path / "palette" / "0.png")
    np.save(tmp_path / "npy" / "0.npy", ids.astype(np.int32))
    expected = np.select([ids == 300, ids == 1000], [1, 2], 0)[None]
    for name in ("ids", "colour", "palette", "npy"):
        np.testing.assert_array_equal(read_mask_folder(tmp_path / name, kept(1), (20, 30)).object_ids, expected)
    assert read_mask_folder(tmp_path / "colour", kept(1), (20, 30)).names == ["#0ac81e", "#c80a1e"]


def test_masks_of_the_videos_size_are_reduced_without_mixing_ids(tmp_path: Path) -> None:
    large = np.kron(np.array([[0, 3], [9, 0]], np.uint8), np.ones((20, 30), np.uint8))
    write_image(tmp_path / "0.png", large)
    given = read_mask_folder(tmp_path, kept(1), (20, 30))
    np.testing.assert_array_equal(given.object_ids[0], np.kron([[0, 1], [2, 0]], np.ones((10, 15))))


def test_a_wrong_count_or_shape_of_masks_names_the_numbers(tmp_path: Path) -> None:
    for t in range(3):
        write_image(tmp_path / f"{t}.png", np.zeros((20, 30), np.uint8))
    with pytest.raises(StageError, match=r"are 3 for 4 frames: frame 3 .* has none"):
        read_mask_folder(tmp_path, kept(4), (20, 30))
    with pytest.raises(StageError, match="is 30x20, the frames are 30x30"):
        read_mask_folder(tmp_path, kept(3), (30, 30))
    (tmp_path / "2.png").write_text("text")
    with pytest.raises(StageError, match=r"2\.png is not a readable mask"):
        read_mask_folder(tmp_path, kept(3), (20, 30))
    with pytest.raises(StageError, match="is not a folder"):
        read_mask_folder(tmp_path / "absent", kept(3), (20, 30))


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_one_damaged_array_ends_in_a_sentence(tmp_path: Path, suffix: str) -> None:
    save(tmp_path, f"all.{suffix}", np.zeros((4, 20, 30), np.uint8))
    whole = (tmp_path / f"all.{suffix}").read_bytes()
    (tmp_path / f"all.{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StageError, match="not a readable mask"):
        read_mask_folder(tmp_path, kept(4), (20, 30))


def test_levels_of_grey_up_to_white_and_masks_without_an_object_raise_a_doubt(tmp_path: Path) -> None:
    levels = np.zeros((20, 30), np.uint8)
    levels[2:8, 2:8], levels[10:16, 10:16] = 128, 255
    write_image(tmp_path / "0.png", levels)
    assert "255 is taken as ignore" in read_mask_folder(tmp_path, kept(1), (20, 30)).doubts[0]
    write_image(tmp_path / "0.png", 0 * levels)
    assert "shows an object" in read_mask_folder(tmp_path, kept(1), (20, 30)).doubts[0]
    write_image(tmp_path / "0.png", np.where(levels == 128, 1, levels).astype(np.uint8))
    assert not read_mask_folder(tmp_path, kept(1), (20, 30)).doubts


@pytest.mark.parametrize("suffix", [".TIF", ".bmp"])
def test_pictures_without_loss_are_masks(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(squares(np.uint8)).save(tmp_path / f"0{suffix}")
    assert read_mask_folder(tmp_path, kept(1), (20, 30)).names == ["2"]


@pytest.mark.parametrize("axis", [1, 3])
def test_an_array_of_all_frames_may_have_a_channel_and_no_folder(tmp_path: Path, axis: int) -> None:
    np.save(tmp_path / "ids.npy", np.expand_dims(np.stack([squares(np.uint8)] * 5), axis))
    for path in (tmp_path, tmp_path / "ids.npy"):
        given = read_mask_folder(path, kept(3, [0, 2, 4], 5), (20, 30))
        assert given.names == ["2"] and given.object_ids.shape == (3, 20, 30)


@pytest.mark.parametrize("layout", ["folders", "files"])
def test_an_object_without_a_file_is_not_to_be_seen_there(tmp_path: Path, layout: str) -> None:
    """The dog comes in the third of four frames, and its files are counted from there."""
    for t in range(4):
        for name in ("cup", "dog") if t >= 2 else ("cup",):
            mask = np.where(squares(np.uint8), 255, 0).astype(np.uint8)
            mask = np.roll(mask, 12, axis=1) if name == "dog" else mask
            save(
                tmp_path / name if layout == "folders" else tmp_path,
                f"{t + 1}{'' if layout == 'folders' else name}.png",
                mask,
            )
    given = read_mask_folder(tmp_path, kept(4), (20, 30))
    assert [set(np.unique(ids)) for ids in given.object_ids] == [{0, 1}, {0, 1}, {0, 1, 2}, {0, 1, 2}]
    assert "dog" in given.doubts[0] and "no file for 2 frames (the first is 0)" in given.doubts[0]


def test_one_folder_a_frame_is_refused(tmp_path: Path) -> None:
    for t in range(3):
        for k in range(2):
            save(tmp_path / f"{t:05d}", f"{k}.png", squares(np.uint8))
    with pytest.raises(StageError, match=r"3 folders .*one a frame: give one folder an object"):
        read_mask_folder(tmp_path, kept(3), (20, 30))


@pytest.mark.parametrize("background", [(255, 255, 255), 1])
def test_masks_without_a_background_are_refused(tmp_path: Path, background: Any) -> None:
    ids = squares(np.uint8)
    image = np.where(ids[..., None] > 0, (255, 0, 0), background).astype(np.uint8) if background != 1 else ids + 1
    for t in range(2):
        save(tmp_path, f"{t}.png", image.astype(np.uint8))
    with pytest.raises(StageError, match=r"everything is an object, (#ffffff|1) covers 97 %"):
        read_mask_folder(tmp_path, kept(2), (20, 30))


def test_palettes_that_number_colours_anew_are_read_by_colour(tmp_path: Path) -> None:
    """The first file has red as 1 and green as 2, the second green as 1: an optimising tool wrote them."""
    red, green, both = (255, 0, 0), (0, 255, 0), squares(np.uint8)
    both[12:15, 20:25] = 1
    for name, ids, colours in (("0", both, [green, red]), ("1", both // 2, [red])):
        image = Image.fromarray(ids).convert("P")
        image = Image.frombytes("P", (30, 20), ids.tobytes())
        image.putpalette([value for colour in [(0, 0, 0), *colours] for value in colour])
        image.save(tmp_path / f"{name}.png")
    given = read_mask_folder(tmp_path, kept(2), (20, 30))
    assert given.names == ["#00ff00", "#ff0000"]
    assert given.object_ids[0, 6, 6] == given.object_ids[1, 6, 6] == 2 and given.object_ids[0, 13, 22] == 1


def test_pictures_and_depth_are_no_soft_edges(tmp_path: Path) -> None:
    for t in range(2):
        save(tmp_path, f"{t}.png", np.tile(np.arange(30, dtype=np.uint8) * 8 + t, (20, 1)))
    with pytest.raises(StageError, match="pictures or depth, not masks"):
        read_mask_folder(tmp_path, kept(2), (20, 30))


@pytest.mark.parametrize("axes", ["frames last", "objects first", "objects second", "whole floats"])
def test_an_array_of_all_frames_may_have_its_axes_in_any_sane_order(tmp_path: Path, axes: str) -> None:
    ids = np.stack([np.roll(squares(np.uint8) // 2, t, axis=1) for t in range(5)])
    ids[:, 15:18, 20:24] = 2
    pair = np.stack([ids == 1, ids == 2])
    array = {"frames last": np.moveaxis(ids, 0, 2), "objects first": pair, "objects second": np.moveaxis(pair, 0, 1),
             "whole floats": ids.astype(np.float32)}[axes]  # fmt: skip
    np.save(tmp_path / "all.npy", array)
    np.testing.assert_array_equal(read_mask_folder(tmp_path / "all.npy", kept(5), (20, 30)).object_ids, ids)
    np.save(tmp_path / "all.npy", ids[:-1])
    with pytest.raises(StageError, match=r"has shape \(4, 20, 30\) of uint8; the masks of all frames are"):
        read_mask_folder(tmp_path / "all.npy", kept(5), (20, 30))
