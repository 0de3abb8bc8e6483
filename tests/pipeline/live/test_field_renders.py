"""Renders of the fields behind the splats: of the right view, finer and finer at rest."""

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.live import field_renders
from pipeline.live.field_renders import FieldRenders, Wanted, field_image
from pipeline.live.page import LivePage
from tests.analytic_world import analytic_method, analytic_scene, analytic_truth
from tests.pipeline.live.live_pages import LookingClient, wait_until


def test_fields_are_rendered_from_where_one_looks(page: LivePage) -> None:
    """From the film's camera they are the frame, at the depth of what it shows."""
    scene = page.run.scene
    image, depth = field_image(page.wanted(), LookingClient(page).camera, scene.camera.height, page.unit)
    difference = np.abs(image.astype(float) - scene.images[page.choice.frame]) / 255
    assert image.shape == scene.images.shape[1:] and np.median(difference) < 0.02
    seen = (scene.observation_frame == page.choice.frame) & (scene.observation_object == 0)
    column, row = np.floor(scene.observation_xy[seen]).astype(int).T
    np.testing.assert_allclose(depth[row, column], scene.observation_depth[seen] * page.unit, rtol=0.02)


def test_rested_view_is_rendered_finer_and_finer_until_something_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_renders, "HEIGHTS", (4, 9, 18))
    monkeypatch.setattr(field_renders, "RESTED_S", 0.05)
    monkeypatch.setattr(field_renders, "PATIENCE_S", 0.01)
    method = analytic_method(analytic_scene(analytic_truth()))
    wanted, covers, heights = Wanted(method, 4, method.scales[25].numpy().astype(float)), [], []
    camera = SimpleNamespace(fov=0.8, aspect=1.5, wxyz=[1, 0, 0, 0], position=[0, 0, 0], on_update=lambda _: None)
    scene = SimpleNamespace(
        set_background_image=lambda image, depth=None: heights.append(image is not None and len(image))
    )
    client = SimpleNamespace(client_id=0, camera=camera, scene=scene)
    clients = {0: client}
    renders = FieldRenders(SimpleNamespace(get_clients=lambda: clients), 1.0, lambda: wanted, covers.append)
    renders.attend(client)
    wait_until(lambda: heights == [4, 9, 18])
    assert covers == [True, True, True]
    renders.touch()
    wait_until(lambda: heights[3:] == [False, 4, 9, 18])
    assert covers[3] is False
    clients.clear()
