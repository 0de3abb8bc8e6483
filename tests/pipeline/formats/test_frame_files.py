"""Names and files find their frames, whatever tool wrote them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats.frame_files import (
    KeptFrames,
    data_files,
    data_folders,
    files_of_frames,
    match_names,
    natural_order,
    stem,
)
from pipeline.formats.lens import Lens, undistortion
from pipeline.runtime.errors import StageError


def kept(count: int, source: list[int] | None = None, total: int | None = None, names: list[str] = []) -> KeptFrames:  # noqa: B006
    index = source if source is not None else list(range(count))
    return KeptFrames([f"{n:06d}.png" for n in range(count)], index, total or max(index) + 1, names)


ALL = list(range(12))
DIALECTS = {
    "ours": [f"{n:06d}.png" for n in ALL],
    "ours without suffix": [f"{n:06d}" for n in ALL],
    "unpadded from 0": [f"{n}.png" for n in ALL],
    "unpadded from 1": [f"{n + 1}.png" for n in ALL],
    "in a folder": [f"images/frame_{n + 1:05d}.jpg" for n in ALL],
    "Windows paths": [f"C:\\clip\\frame_{n + 1:05d}.jpg" for n in ALL],
    "Blender": [f"./train/r_{n}" for n in ALL],
    "masks of COLMAP": [f"{n:06d}.png.png" for n in ALL],
    "suffix in capitals": [f"DSC{n + 4711}.JPG" for n in ALL],
    "times": [f"{1305031102 + n}.{n:06d}.png" for n in ALL],
    "letters": [f"{chr(97 + n)}.png" for n in ALL],
}


@pytest.mark.parametrize("names", DIALECTS.values(), ids=DIALECTS)
def test_one_name_a_frame_finds_its_frame_in_whatever_order_it_comes(names: list[str]) -> None:
    order = np.random.default_rng(0).permutation(12)
    found = match_names([names[n] for n in order], kept(12), "poses")
    assert found.frame.tolist() == order.tolist() and not found.doubt


@pytest.mark.parametrize("names", DIALECTS.values(), ids=DIALECTS)
def test_one_name_for_every_frame_of_the_video_is_picked_by_source_index(names: list[str]) -> None:
    thinned = kept(4, [0, 3, 6, 11], 12)
    found = match_names(names, thinned, "masks")
    assert np.flatnonzero(found.frame >= 0).tolist() == [0, 3, 6, 11]
    assert found.frame[found.frame >= 0].tolist() == [0, 1, 2, 3]


def test_names_of_source_images_count_before_numbers() -> None:
    """The images of a folder start at 5, and files for three of them are given."""
    source = kept(8, names=[f"IMG_{n}.jpg" for n in range(5, 13)])
    found = match_names(["IMG_7.png", "IMG_5.png", "IMG_12.png"], source, "masks")
    assert found.frame.tolist() == [2, 0, 7] and found.how == "by the names of the images"


def test_names_of_source_images_are_known_also_where_frames_were_dropped() -> None:
    source = kept(2, [1, 3], 4, ["b.png", "d.png", "f.png", "h.png"])
    assert match_names(["d.png", "f.png", "h.png"], source, "masks").frame.tolist() == [0, -1, 1]


def test_some_names_that_reach_the_last_number_count_from_one() -> None:
    found = match_names(["frame_00002.png", "frame_00012.png"], kept(12), "poses")
    assert found.frame.tolist() == [1, 11] and not found.doubt


def test_some_names_with_a_zero_count_from_zero() -> None:
    found = match_names(["img0.png", "img7.png"], kept(12), "poses")
    assert found.frame.tolist() == [0, 7] and not found.doubt


def test_names_that_may_be_off_by_one_are_taken_with_a_doubt() -> None:
    found = match_names(["img3.png", "img7.png"], kept(12), "poses")
    assert found.frame.tolist() == [3, 7] and "off by one" in found.doubt
    assert match_names(["frame_00003.png", "frame_00007.png"], kept(12), "poses").frame.tolist() == [2, 6]


def test_numbers_beyond_the_kept_frames_count_the_video() -> None:
    found = match_names(["9.png", "10.png"], kept(4, [0, 3, 6, 9], 10), "poses")
    assert found.frame.tolist() == [-1, 3] and "video" in found.how


@pytest.mark.parametrize("names", [["a.png", "b.png"], ["1.png", "99.png"], ["1.png", "x1.png"], ["0.png", "4.png"]])
def test_names_that_fit_nothing_are_refused_with_the_way_out(names: list[str]) -> None:
    with pytest.raises(StageError, match=r"masks.*name them after the frames"):
        match_names(names, kept(4), "masks")


def test_numbers_that_could_count_the_frames_or_the_video_are_refused() -> None:
    with pytest.raises(StageError, match="fit neither"):
        match_names(["img1.png", "img3.png"], kept(4, [0, 3, 6, 9], 10), "masks")


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 30), st.integers(0, 2000), st.randoms(use_true_random=False))
def test_order_of_the_names_never_matters(count: int, first: int, random: object) -> None:
    names = [f"shot_{first + n}.png" for n in range(count)]
    order = list(range(count))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert match_names([names[n] for n in order], kept(count), "poses").frame.tolist() == order


def test_what_is_made_for_frames_whose_lens_a_scene_undoes_is_undistorted_too() -> None:
    lens = {"model": "SIMPLE_RADIAL", "params": [140.0, 80.0, 60.0, -0.1], "width": 160, "height": 120}
    scene = replace(kept(3), frame_lens=lens)
    paths = [Path(f"{n:06d}.png") for n in range(3)]
    made = files_of_frames(paths, scene, "labels").view
    image = np.arange(160 * 120, dtype=np.float32).reshape(120, 160)
    assert made is not None and scene.view is not None and scene.frame_undistortion is not None
    for view in (made, scene.view, scene.frame_undistortion):
        np.testing.assert_array_equal(
            view.apply(image, exact=True), undistortion(Lens.of_values(lens)).apply(image, True)
        )
    assert files_of_frames(paths, kept(3), "labels").view is None and kept(3).frame_undistortion is None


def test_names_that_leave_open_which_lens_they_show_are_doubted() -> None:
    """Frames are undistorted: what has their names shows them, what has the video's names shows the video."""
    lens = {"model": "SIMPLE_RADIAL", "params": [140.0, 80.0, 60.0, -0.1], "width": 160, "height": 120}
    bent, both = replace(kept(3), lens=lens), replace(kept(3, names=[f"{n:06d}.jpg" for n in range(3)]), lens=lens)
    names = [f"{n:06d}.png" for n in range(3)]
    ours, theirs = match_names(names, bent, "masks"), match_names(names, both, "masks")
    assert ours.ours and "undistorted frames" in ours.doubt
    assert not theirs.ours and "with its lens" in theirs.doubt
    assert not match_names(["a1", "a2", "a3"], bent, "masks").doubt and not match_names(names, kept(3), "masks").doubt


def test_stem_keeps_what_is_no_suffix() -> None:
    assert [stem(name) for name in ("a/b.c.png", "r_3", "x.PNG.png", "1305.25")] == ["b.c", "r_3", "x", "1305.25"]


def test_files_of_systems_and_previews_of_arrays_are_no_data(tmp_path: Path) -> None:
    for name in ("2.PNG", "10.png", ".DS_Store", "._2.png", "Thumbs.db", "3.npy", "3.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "car").mkdir()
    (tmp_path / "car" / "0.png").write_bytes(b"x")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "0.png").write_bytes(b"x")
    assert [path.name for path in data_files(tmp_path, (".png", ".npy"))] == ["2.PNG", "3.npy", "10.png"]
    assert [path.name for path in data_folders(tmp_path, (".png",))] == ["car"]


def test_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="is not a folder"):
        data_files(tmp_path / "none", (".png",))


def test_natural_order_ignores_case_and_padding() -> None:
    assert sorted(["F10", "f2", "f1"], key=natural_order) == ["f1", "f2", "F10"]
