from pathlib import Path

import pytest

from pipeline.runtime.dataset_key import LAYOUTS, PARTS, PROMISES, dataset_key, promised
from pipeline.runtime.errors import StageError


def test_a_key_is_a_layout_and_a_folder_that_may_have_colons() -> None:
    assert dataset_key("osn:/data/a:b") == ("osn", Path("/data/a:b"))
    with pytest.raises(StageError, match="osn:"):
        dataset_key("osn:")


def test_every_layout_promises_poses_and_only_known_parts() -> None:
    assert set(PROMISES) == set(LAYOUTS)
    assert all("poses" in signs and set(signs) <= set(PARTS) for signs in PROMISES.values())


def test_a_look_at_the_folder_tells_the_parts(tmp_path: Path) -> None:
    assert promised("nsff", tmp_path) == frozenset()
    (tmp_path / "dense" / "disp").mkdir(parents=True)
    assert promised("nsff", tmp_path) == frozenset()
    (tmp_path / "dense" / "disp" / "0.npy").touch()
    assert promised("nsff", tmp_path) == {"depth"}
    (tmp_path / "transforms.json").write_text('{"frames": [{"mask_path": "0.png"}]}')
    assert promised("nerfstudio", tmp_path) == {"poses", "masks"}
