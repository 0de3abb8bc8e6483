"""Camera paths: what was looked at is saved, and nothing outside their folder."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.formats.camera_path_file import read_camera_path
from pipeline.live.page import LivePage
from pipeline.runtime.errors import StageError
from tests.pipeline.live.live_pages import LookingClient


def test_saved_path_is_what_was_looked_at(page: LivePage, tmp_path: Path) -> None:
    client, panel = LookingClient(page), page.path_panel
    with pytest.raises(StageError, match="two views"):
        panel.save_path()
    panel.add(client)
    page.set_frame(6)
    panel.add(LookingClient(page))
    panel.save(client)
    saved = read_camera_path(tmp_path / "camera_paths" / "demo" / "path.json")
    poses = page.run.scene.object_from_camera[0]
    assert [view.frame for view in saved.views] == [4, 6] and saved.scales == page.choice.scales.tolist()
    np.testing.assert_allclose([view.pose for view in saved.views], poses[[4, 6]], atol=1e-5)
    assert "python -m pipeline.render_path \\\n  --checkpoint" in panel.said.content
    panel.name.value = "../outside"
    panel.save(client)
    assert client.told[-1].startswith("Not saved") and not (tmp_path / "camera_paths" / "outside.json").exists()
