"""The weights that modules declare, collected without importing the modules."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.correspondence.backends import raft
from pipeline.evaluation import lpips
from pipeline.runtime.weights import declared_weights, is_genuine, known_weights, weights_present
from pipeline.segmentation.backends import sam
from pipeline.semantic_flow import frame_features


def test_every_entry_can_be_checked() -> None:
    for weight in known_weights():
        assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", weight.sha256), weight.file
        if weight.address:
            assert weight.address.startswith("https://") and weight.address.endswith("/" + weight.file)
        if len(weight.sha256) == 8:
            assert weight.sha256 in weight.file, "torchvision's names carry the digest's first digits"
    assert len({weight.file for weight in known_weights()}) == len(known_weights())


def test_the_sample_weights_are_the_published_ones(shared_data: Path) -> None:
    (weight,) = weights_present(shared_data / "weights", "estimate_flow")
    assert weight.file == "raft-small.pth"
    assert is_genuine(shared_data / "weights" / weight.file, weight)


def test_the_best_file_comes_first(tmp_path: Path) -> None:
    for name in ("raft_small_C_T_V2-01064c6d.pth", "raft_large_C_T_V2-1bb1363a.pth"):
        (tmp_path / name).touch()
    assert [weight.model for weight in weights_present(tmp_path, "estimate_flow")] == ["raft_large", "raft_small"]
    assert weights_present(tmp_path, "segment_objects") == []
    assert weights_present(None, "estimate_flow") == []


def test_what_is_read_in_a_module_is_what_the_module_has() -> None:
    for module in (raft, sam, frame_features, lpips):
        assert tuple(declared_weights(Path(module.__file__))) == module.WEIGHTS
    assert known_weights() == [*raft.WEIGHTS, *sam.WEIGHTS, *frame_features.WEIGHTS, *lpips.WEIGHTS]


def test_a_module_without_weights_declares_none_and_values_must_be_literals(tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text("import os\n")
    assert declared_weights(tmp_path / "none.py") == []
    (tmp_path / "computed.py").write_text("WEIGHTS = (Weight(file=name()),)\n")
    with pytest.raises(ValueError, match="malformed node"):
        declared_weights(tmp_path / "computed.py")


def test_collecting_them_imports_no_numeric_library() -> None:
    """The Snakefile collects them at every start."""
    code = (
        "import sys; from pipeline.runtime.weights import known_weights; assert known_weights();"
        "assert not {'torch', 'numpy', 'cv2'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
