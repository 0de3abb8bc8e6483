"""Edits on the page: objects move live, and what is set is saved into config.yaml."""

from pathlib import Path

import numpy as np
import yaml

from pipeline.live.page import LivePage
from tests.full_disk import files_up_to
from tests.pipeline.live.live_pages import CONFIG, LookingClient


def test_edits_move_objects_live_and_are_saved_beside_what_is_there(trained: LivePage, tmp_path: Path) -> None:
    page, panel = trained, trained.edit_panel
    panel.config = tmp_path / "config.yaml"
    panel.config.write_text(CONFIG)
    panel.which.value, panel.action.value, panel.offset.value = "sphere 1", "move", (0.25, 0.0, 0.0)
    panel.set()
    axes = page.run.scene.object_from_camera[0, 0, :3, :3]
    shift = (page.nodes.nodes[1].position - page.choice.place(1).position * page.unit) / page.unit
    np.testing.assert_allclose(shift, 0.25 * axes[:, 0], atol=1e-6)
    panel.which.value = "sphere 2"
    panel.chosen()
    panel.action.value = "remove"
    panel.set()
    assert not page.nodes.nodes[2].visible
    client = LookingClient(page)
    panel.save(client)
    expected = [
        {"object": "1", "action": "move", "offset": [0.25, 0.0, 0.0], "video": "edited"},
        {"object": "2", "action": "remove", "video": "edited"},
    ]
    assert yaml.safe_load(panel.config.read_text())["scenes"]["demo"]["edits"] == expected
    assert "# mine" in panel.config.read_text() and client.told[0].startswith("Saved")
    panel.save(client)
    assert yaml.safe_load(panel.config.read_text())["scenes"]["demo"]["edits"] == expected


def test_edits_that_cannot_be_saved_are_told(page: LivePage, tmp_path: Path) -> None:
    client = LookingClient(page)
    page.edit_panel.save(client)
    page.edit_panel.action.value = "remove"
    page.edit_panel.set()
    (tmp_path / "config.yaml").write_text("scenes:\n  other: {video: a.mp4}\n")
    page.edit_panel.save(client)
    (tmp_path / "config.yaml").write_text("scenes:\n  demo: {video: simulate, size: 0x_}\n")
    page.edit_panel.save(client)
    (tmp_path / "config.yaml").write_text(CONFIG)
    with files_up_to(10):
        page.edit_panel.save(client)
    said = ("no edit to save", "scenes.demo is not in config.yaml", "is not valid YAML", "too large")
    assert all(words in told for words, told in zip(said, client.told, strict=True))
