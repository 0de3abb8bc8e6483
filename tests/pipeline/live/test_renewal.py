"""A state that is newer is taken over; one that cannot be read is waited past."""

from typing import Any

import numpy as np
import pytest

from pipeline.live.field_points import Points
from pipeline.live.page import LivePage
from pipeline.live.renewal import renew_if_newer
from pipeline.live.trained_run import TrainedRun
from tests.analytic_world import analytic_method
from tests.pipeline.reporting.test_interactive import surface_splats


def surface_points(index: int) -> Any:
    places = surface_splats(index).places
    return Points(places, np.zeros(places.shape, np.uint8))


def test_newer_state_is_taken_over(page: LivePage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not renew_if_newer(page)
    resume = page.run.folder / "resume.pt"
    resume.touch()
    assert not renew_if_newer(page), "what cannot be read is waited past"
    newer = analytic_method(page.run.scene, 3)
    monkeypatch.setattr(
        "pipeline.live.renewal.read_state",
        lambda folder, scene, tracks: TrainedRun(folder, scene, newer, {}, tracks, resume, 1),
    )
    monkeypatch.setattr("pipeline.live.part_nodes.object_points", lambda method, index: surface_points(index))
    resume.write_bytes(b"newer")
    page.choice.scales = page.choice.scales * [1, 0.9, 1]
    assert renew_if_newer(page)
    assert page.choice.method is newer and "in training" in page.controls.about.content.replace("\\", "")
    assert page.nodes.nodes[1].points.shape == (2500, 3)
