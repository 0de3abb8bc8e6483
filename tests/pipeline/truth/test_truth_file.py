import dataclasses

import h5py
import numpy as np
import pytest

from pipeline.runtime.errors import StageError
from pipeline.truth.truth_file import VIEW_FIELDS, read_truth, write_truth
from tests.synthetic import synthetic_truth


def test_truth_survives_the_file(tmp_path):
    truth = synthetic_truth()
    write_truth(tmp_path / "truth.h5", truth)
    again = read_truth(tmp_path / "truth.h5")
    for views, wanted in ((again.train, truth.train), (again.test, truth.test)):
        for name in VIEW_FIELDS:
            np.testing.assert_array_equal(getattr(views, name), getattr(wanted, name))
    np.testing.assert_allclose(again.solo_depth, truth.solo_depth, rtol=1e-3)
    assert again.focal_px == truth.focal_px
    assert again.size == (48, 64) and again.object_count == 3


def test_layout_is_the_one_that_other_tools_read(tmp_path, shared_data):
    write_truth(tmp_path / "truth.h5", synthetic_truth())
    with h5py.File(tmp_path / "truth.h5") as ours, h5py.File(shared_data / "workshop" / "truth.h5") as theirs:
        assert set(ours["train"]) == set(theirs["train"]) and set(ours["test"]) == set(theirs["test"])
        assert set(ours.attrs) == set(theirs.attrs)
        for name in ("train/images", "train/depth", "train/object_ids", "train/solo_depth", "test/time"):
            assert ours[name].dtype == theirs[name].dtype and ours[name].ndim == theirs[name].ndim


def test_scene_without_moving_objects_survives_the_file(tmp_path):
    truth = synthetic_truth()
    views = [
        dataclasses.replace(
            one, object_ids=np.zeros_like(one.object_ids), world_from_object=one.world_from_object[:, :0]
        )
        for one in (truth.train, truth.test)
    ]
    still = dataclasses.replace(truth, train=views[0], test=views[1], solo_depth=truth.solo_depth[:1])
    write_truth(tmp_path / "truth.h5", still)
    assert read_truth(tmp_path / "truth.h5").object_count == 1


def test_file_of_another_kind_is_refused_by_name(tmp_path):
    (tmp_path / "notes.h5").write_text("hello")
    with pytest.raises(StageError, match=r"notes\.h5 is not a truth file"):
        read_truth(tmp_path / "notes.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["train/images"] = np.zeros(3)
    with pytest.raises(StageError, match=r"other\.h5 is not a truth file"):
        read_truth(tmp_path / "other.h5")
