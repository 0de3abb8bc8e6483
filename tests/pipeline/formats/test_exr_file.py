"""OpenEXR images by ZIP: whole ones give their numbers, others are named."""

import numpy as np
import pytest

from pipeline.formats.exr_file import read_exr
from pipeline.runtime.errors import StageError
from tests.tool_results import exr


def test_a_file_that_is_no_whole_image_is_named() -> None:
    whole = exr(np.arange(33 * 7).reshape(33, 7) / 8)
    np.testing.assert_array_equal(read_exr(whole, "Z", "0.exr"), np.arange(33 * 7).reshape(33, 7) / 8)
    for data, words in (
        (whole[:-30], "not a whole OpenEXR image"),
        (b"\x89PNG" + whole[4:], "is no OpenEXR image"),
        (whole[:4] + b"\2\2\0\0" + whole[8:], "of tiles or of several parts"),
        (
            whole.replace(b"compression\0\1\0\0\0\3", b"compression\0\1\0\0\0\4"),
            "by OpenEXR's method 4; save it by ZIP",
        ),
    ):
        with pytest.raises(StageError, match=f"0.exr.*{words}"):
            read_exr(data, "Z", "0.exr")
    with pytest.raises(StageError, match="has the channels Z, depth is called R"):
        read_exr(whole, "R", "0.exr")
