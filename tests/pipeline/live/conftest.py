"""Pages of the live viewer on a real server."""

from pathlib import Path

import pytest

from pipeline.live.local_server import started_server
from pipeline.live.page import LivePage
from tests.analytic_world import analytic_method, analytic_scene, analytic_truth
from tests.pipeline.live.live_pages import CONFIG, a_run
from tests.pipeline.reporting.test_interactive import decided_network
from tests.pipeline.trained_balls import trained_balls


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    server = started_server(0, "test")
    yield LivePage(server, a_run(tmp_path / "results" / "demo", analytic_method(analytic_scene(analytic_truth()))))
    server.stop()


@pytest.fixture
def trained(tmp_path: Path):
    """The page of a real OSN, with objects that can be edited."""
    scene = analytic_scene(analytic_truth())
    server = started_server(0, "test")
    yield LivePage(server, a_run(tmp_path / "results" / "demo", trained_balls(scene, decided_network(scene))))
    server.stop()
