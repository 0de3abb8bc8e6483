"""What follows from the frame and the scales that a person chooses."""

import numpy as np
import pytest
import torch

from pipeline.live.scene_choice import SceneChoice, as_markdown
from pipeline.scene.placement import world_from_object
from tests.analytic_world import TRUE_SCALES, analytic_method, analytic_scene, analytic_truth


@pytest.fixture
def choice() -> SceneChoice:
    """Scales are valid up to 1.2 times the true ones."""
    return SceneChoice.suggested(analytic_method(analytic_scene(analytic_truth())))


def test_border_is_where_scales_stop_being_valid(choice: SceneChoice) -> None:
    found = choice.border(TRUE_SCALES, TRUE_SCALES * [1, 2, 1])
    np.testing.assert_allclose(found, TRUE_SCALES * [1, 1.2, 1], rtol=1e-5)


def test_scales_stop_there_only_where_that_is_asked_for(choice: SceneChoice) -> None:
    wanted = choice.scales * [1, 5, 1]
    assert np.array_equal(choice.asked(wanted), wanted)
    choice.valid_only = True
    assert choice.valid(choice.asked(wanted)) and choice.asked(wanted)[1] > choice.scales[1]


def test_nearest_valid_scene_is_valid_and_nearer_than_any_sample(choice: SceneChoice) -> None:
    choice.scales = TRUE_SCALES * [1, 2, 0.9]
    found = choice.nearest()
    away = np.linalg.norm(np.log(choice.method.scales.numpy() / choice.scales), axis=1)
    assert choice.valid(found) and np.linalg.norm(np.log(found / choice.scales)) <= away.min()


def test_valid_scales_are_their_own_nearest(choice: SceneChoice) -> None:
    assert np.array_equal(choice.nearest(), choice.scales)


def test_another_scene_is_one_of_the_samples(choice: SceneChoice) -> None:
    assert (np.abs(choice.method.scales.numpy() - choice.another()) < 1e-6).all(1).any()


def test_place_is_the_similarity_taken_apart(choice: SceneChoice) -> None:
    from scipy.spatial.transform import Rotation

    place = choice.place(1)
    assert place is not None and place.scale == choice.scales[1]
    turned = place.scale * Rotation.from_quat(place.wxyz, scalar_first=True).as_matrix()
    expected = world_from_object(choice.scene, 1, choice.frame, float(choice.scales[1]))
    np.testing.assert_allclose(np.column_stack([turned, place.position]), expected[:3], atol=1e-6)


def test_verdict_says_whether_and_why_not(choice: SceneChoice) -> None:
    assert choice.verdict().judgement == "possible" and choice.verdict().score >= 0.5
    choice.scales = choice.scales * [1, 3, 1]
    assert choice.verdict().judgement == "impossible" and choice.verdict().score < 1e-3


def test_scales_under_which_a_thing_loses_more_than_its_border_are_doubtful(
    choice: SceneChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an object a share of half the log of its scale could be hidden; up to 1 % is its field's own error."""

    def hidden(scales: torch.Tensor) -> torch.Tensor:
        return (scales[:, 1] / TRUE_SCALES[1]).log().clamp(min=0) / 2

    monkeypatch.setattr(choice.method, "hidden_share", hidden)
    monkeypatch.setattr(type(choice.method), "hidden_limit", 0.01)
    assert choice.strict and choice.verdict().judgement == "possible"
    wanted = TRUE_SCALES * [1, 1.15, 1]
    np.testing.assert_allclose(choice.border(TRUE_SCALES, wanted), TRUE_SCALES * [1, np.exp(0.02), 1], rtol=1e-4)
    choice.scales = wanted
    assert choice.verdict().judgement == "doubtful" and "7.0 % of a thing could be hidden" in choice.verdict().reason
    assert choice.certain(choice.nearest())


def test_a_method_that_is_renewed_while_it_trains_is_judged_anew(
    choice: SceneChoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first has nothing certain, so that what is valid may be chosen; the next has."""
    monkeypatch.setattr(choice.method, "hidden_share", lambda scales: torch.ones(len(scales)))
    assert not choice.strict and choice.possible(TRUE_SCALES)
    choice.method = analytic_method(analytic_scene(analytic_truth()))
    assert choice.strict


def test_names_mean_nothing_to_the_page() -> None:
    assert as_markdown("a_{b}<i>") == r"a\_\{b\}\<i\>"
