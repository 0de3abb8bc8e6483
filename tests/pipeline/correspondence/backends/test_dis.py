"""DIS: flow of a known shift, of images of any size."""

import cv2
import numpy as np
import pytest
import torch

from pipeline.config import EstimateFlowConfig
from pipeline.correspondence.backends import dis


@pytest.mark.parametrize("size", [(64, 96), (20, 70)])
def test_a_shift_is_found_from_the_first_image_to_the_second(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 140, 3)).astype(np.uint8)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX)
    first, second = (texture[top : top + size[0], left : left + size[1]] for top, left in ((20, 20), (21, 23)))
    model = dis.load(None, torch.device("cpu"))
    there, back = dis.find(model, [(first, second), (second, first)], EstimateFlowConfig())
    assert there.shape == (*size, 2)
    np.testing.assert_allclose(np.median(there[6:-6, 6:-6], axis=(0, 1)), [-3, -1], atol=0.1)
    np.testing.assert_allclose(np.median(back[6:-6, 6:-6], axis=(0, 1)), [3, 1], atol=0.1)
