"""A method that nobody foresaw goes through every stage after training by one entry in the list of methods."""

import numpy as np
import pytest

from pipeline.formats.metrics_table import read_metrics
from pipeline.formats.renders_folder import read_renders, read_set_ids, read_set_images
from pipeline.rendering.trained_method import METHODS
from tests.pipeline.flat_method import ENTRY, METHOD, train_flat
from tests.pipeline.judged_scene import JudgedScene, written_scene

LEVELS = np.round(255 * np.array([0.2, 0.5, 0.8]))


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, METHOD, ENTRY)
        scene = written_scene(tmp_path_factory.mktemp("scene"), METHOD)
        train_flat(scene / "scene.h5", scene / "flat/checkpoint.pt", scene / "flat/history.csv")
        scene.render()
        scene.evaluate()
        yield scene


def psnr_db(image: np.ndarray, target: np.ndarray) -> float:
    return float(-10 * np.log10(((image / 255 - target / 255) ** 2).mean()))


def test_it_is_rendered(flat: JudgedScene) -> None:
    listed = read_renders(flat / "flat/renders")
    assert (listed.method, listed.valid_scales, listed.object_ids) == ("flat", 1, [0, 1, 2])
    assert {entry.kind for entry in listed.sets} == {"observed", "path", "held_out"}
    (observed,) = listed.of_kind("observed")
    ids, images = (read(flat / "flat/renders", observed) for read in (read_set_ids, read_set_images))
    np.testing.assert_array_equal(ids, flat.scene.object_ids[observed.frames])
    np.testing.assert_array_equal(images, LEVELS[ids][..., None].repeat(3, axis=-1))


def test_it_is_judged(flat: JudgedScene) -> None:
    table = read_metrics(flat / "metrics.csv")
    own = table[table.method == "flat"].set_index(["item", "metric"])["value"]
    (observed,) = read_renders(flat / "flat/renders").of_kind("observed")
    targets = flat.scene.images[observed.frames].astype(float)
    painted = LEVELS[flat.scene.object_ids[observed.frames]][..., None]
    expected = np.mean([psnr_db(*pair) for pair in zip(painted, targets, strict=True)])
    assert own["observed", "psnr_db"] == pytest.approx(expected, abs=1e-3)
    assert own["observed", "miou"] == 1
    assert 0 < own["held_out", "miou"] < 1
    assert own["all", "seconds"].tolist() == [12.5, 12.5]
    assert not set(own.index.get_level_values("metric")) & {"valid_fraction", "total_accuracy"}


def test_it_has_its_section_on_the_page(flat: JudgedScene) -> None:
    page = flat.report()
    assert '<section id="flat">' in page and "A way around the scene" in page and "Held-out views" in page
    assert "Which scales are valid" not in page and "Classes" not in page
