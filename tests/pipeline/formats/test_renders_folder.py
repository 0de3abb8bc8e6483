"""Sets of rendered views survive their files."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.formats.renders_folder import (
    FLOAT16_MAX,
    Renders,
    planned_set,
    read_renders,
    read_set_depth,
    read_set_ids,
    read_set_images,
    write_renders,
    write_set,
)
from pipeline.runtime.errors import StageError

ENTRY = planned_set("observed", "observed", [1.0, 0.5], 0.9, [4, 7], fps=8.0)


def test_files_are_named_after_their_set() -> None:
    assert ENTRY.images == "observed/%06d.png" and ENTRY.depth == "observed_depth.npy" and ENTRY.video == "observed.mp4"


def test_a_set_survives_its_files(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (2, 16, 20, 3), dtype=np.uint8)
    ids = random.integers(0, 3, (2, 16, 20), dtype=np.uint8)
    depth = random.uniform(1, 9, (2, 16, 20)).astype(np.float32)
    depth[0, 0, 0] = 1e9  # the sky
    write_set(tmp_path, ENTRY, images, ids, depth)
    np.testing.assert_array_equal(read_set_images(tmp_path, ENTRY), images)
    np.testing.assert_array_equal(read_set_ids(tmp_path, ENTRY), ids)
    np.testing.assert_allclose(read_set_depth(tmp_path, ENTRY), np.minimum(depth, FLOAT16_MAX), rtol=1e-3)
    assert (tmp_path / "observed.mp4").stat().st_size > 0


def test_the_list_survives_and_gives_sets_by_kind(tmp_path: Path) -> None:
    path = planned_set("path", "path", [1.0], 1.0, [0], fps=8.0, caption="around")
    write_renders(tmp_path, Renders(method="osn", valid_scales=3, object_ids=[0, 2], sets=[ENTRY, path]))
    again = read_renders(tmp_path)
    assert again.object_ids == [0, 2] and again.of_kind("path") == [path]


def test_what_is_damaged_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "renders.json").write_text("{}")
    with pytest.raises(StageError, match="run render_views again"):
        read_renders(tmp_path)
    (tmp_path / "observed_depth.npy").write_text("")
    with pytest.raises(StageError, match=r"is damaged .*run render_views again"):
        read_set_depth(tmp_path, ENTRY)
