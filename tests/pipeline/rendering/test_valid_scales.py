"""Which valid scene comes first, and what is said of scales that a person asks for."""

import numpy as np
import pytest
import torch

from pipeline.formats.scene_file import Scene
from pipeline.rendering.valid_scales import valid_scales
from pipeline.runtime.errors import StageError
from tests.analytic_world import analytic_scene, analytic_truth
from tests.pipeline.flat_method import FlatMethod

SCALES = torch.tensor([[1.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.9, 3.0]])


class Picky(FlatMethod):
    """Of three valid scenes the last has begun to fail; what is wanted is contradicted where a scale exceeds 2."""

    def unoccluded(self) -> torch.Tensor:
        return torch.tensor([True, True, False])

    def explain_scales(self, scales: torch.Tensor, unlike: torch.Tensor) -> str:
        return f"not like {unlike.tolist()}" if float(scales.max()) > 2 else ""


@pytest.fixture(scope="module")
def scene() -> Scene:
    return analytic_scene(analytic_truth())


@pytest.fixture
def method(scene: Scene) -> Picky:
    return Picky(scene, SCALES, torch.tensor([0.9, 0.8, 0.7]))


def test_without_a_wish_the_methods_own_order_stays(method: Picky, caplog: pytest.LogCaptureFixture) -> None:
    valid = valid_scales(method, [], "render_views")
    np.testing.assert_array_equal(valid.scales, SCALES)
    assert valid.unoccluded.tolist() == [True, True, False] and valid.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
    assert caplog.text == ""


def test_the_scene_nearest_in_ratio_comes_first_with_all_that_belongs_to_it(
    method: Picky, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        valid = valid_scales(method, [1.5, 2.0], "render_views")
    # Largest ratios: 2 of the first, 2 of the second, 1.5 of the last.
    assert valid.scales[0].tolist() == SCALES[2].tolist()
    assert valid.scores.tolist() == pytest.approx([0.7, 0.9, 0.8]) and valid.unoccluded.tolist() == [False, True, True]
    assert "the scales [1.5, 2.0] are valid; the nearest sampled scene has [1.9, 3.0]" in caplog.text


def test_scales_that_the_video_contradicts_are_warned_of(method: Picky, caplog: pytest.LogCaptureFixture) -> None:
    valid_scales(method, [4.0, 1.0], "render_views")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert (
        "do not explain the video: not like [1.0, 2.0, 1.0]. The valid scene nearest to them is taken, [2.0, 1.0]"
        in caplog.text
    )


def test_a_method_with_one_scene_keeps_it(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    flat = FlatMethod(scene, torch.ones(1, 3), torch.ones(1))
    assert valid_scales(flat, [7.0], "render_views").scales.tolist() == [[1.0, 1.0, 1.0]] and caplog.text == ""


def test_too_few_scales_are_refused_in_the_words_of_their_section(method: Picky) -> None:
    with pytest.raises(StageError, match=r"export_objects\.scales has 1 scales, the scene 2 moving objects"):
        valid_scales(method, [1.0], "export_objects")
