import numpy as np
import pytest

from pipeline.footage.likeness import EXPLAINED, compare, even_contrast, nothing_goes_on, share
from tests.pipeline.footage.moving import panned


def test_a_picture_explains_its_neighbour_and_not_another_scene() -> None:
    views = panned(0, 4)
    first, near, far = (even_contrast(picture) for picture in (views[0], views[3], panned(1, 1)[0]))
    found = compare(first, near)
    assert found.share > 0.5 and found.drift_px == pytest.approx((-6, 0), abs=1)  # three steps of 2 to the left
    assert share(first, far) < EXPLAINED


def test_exposure_does_not_count() -> None:
    picture = panned(0, 1)[0]
    assert np.abs(even_contrast(picture).astype(int) - even_contrast(picture // 2 + 60)).mean() < 8


def test_what_goes_on_after_a_while_goes_on() -> None:
    one, other = ([even_contrast(picture) for picture in panned(seed, 6)] for seed in (0, 1))
    assert nothing_goes_on(one[:3], other[:3])
    assert not nothing_goes_on(one[:3], [*other[:2], one[5]])
