"""Runs side by side: the page of frames, and views that go together between worlds in other units."""

import urllib.error
import urllib.request
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.live.scene_choice import quaternion
from pipeline.live.side_by_side import FramesServer, Together, page_of_frames
from tests.analytic_world import world_from_camera


class LoosePage:
    """As much of a page as goes along with others."""

    def __init__(self, unit: float) -> None:
        poses = np.stack([world_from_camera(t) for t in range(4)])[None]
        poses[..., :3, 3] *= 1 / unit
        self.unit, self.frame_set, self.seen, self.times = unit, [], [], []
        self.run = SimpleNamespace(scene=SimpleNamespace(object_from_camera=poses))
        self.choice = SimpleNamespace(frame=2)
        client = SimpleNamespace(camera=SimpleNamespace(fov=0.0))
        self.server = SimpleNamespace(on_client_connect=lambda _: None, get_clients=lambda: {0: client})

    def look(self, client: Any, pose: np.ndarray) -> None:
        self.seen.append(pose)

    def set_frame(self, frame: int) -> None:
        self.times.append(frame)
        for tell in self.frame_set:
            tell(frame)


def test_view_goes_along_in_the_other_worlds_units() -> None:
    pages = [LoosePage(1.0), LoosePage(4.0), LoosePage(1.0)]
    together = Together(pages)
    aside = world_from_camera(2, 0.3)
    camera = SimpleNamespace(position=aside[:3, 3], wxyz=quaternion(aside[:3, :3]), fov=1.0)
    together.follow_view(pages[0], camera)
    assert not pages[0].seen
    np.testing.assert_allclose(pages[2].seen[0], aside, atol=1e-9)
    np.testing.assert_allclose(pages[1].seen[0][:3, 3], aside[:3, 3] / 4, atol=1e-9)
    np.testing.assert_allclose(pages[1].seen[0][:3, :3], aside[:3, :3], atol=1e-9)
    together.follow_view(pages[1], camera)
    assert len(pages[2].seen) == 1, "an answer of one that follows moves nobody"


def test_time_goes_along_once() -> None:
    pages = [LoosePage(1.0), LoosePage(2.0)]
    Together(pages)
    pages[0].set_frame(3)
    assert pages[1].times == [3] and pages[0].times == [3]


def test_page_of_frames_is_all_that_is_served() -> None:
    page = page_of_frames([("<b>one</b>", 8001), ("two", 8002)])
    assert "<b>" not in page and "&lt;b&gt;one" in page and 'data-port="8002"' in page
    with FramesServer(0, page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert urllib.request.urlopen(f"{url}/", timeout=5).read().decode() == page
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/../config.yaml", timeout=5)
        server.shutdown()
