import numpy as np

from pipeline.footage.survey import survey
from pipeline.formats.source_view import Crop
from pipeline.formats.video_source import SourceFrame


def test_lines_have_their_means_and_missing_frames_are_passed_over() -> None:
    picture = np.zeros((100, 256), np.uint8)
    picture[:50], picture[:, :64] = 100, 200
    seen = survey([SourceFrame(0, 0.0, None, "damaged"), SourceFrame(1, 0.1, picture)])
    assert seen is not None and seen.index.tolist() == [1] and seen.small.shape == (1, 50, 128)
    np.testing.assert_allclose(seen.rows[0, [0, 99]], [125, 50])  # (64 * 200 + 192 * 100) / 256, 64 * 200 / 256
    np.testing.assert_allclose(seen.columns[0, [0, 255]], [200, 50])
    assert survey([]) is None and len(seen.part(2, 3)) == 0


def test_what_is_inside_bars_is_what_the_picture_without_them_has() -> None:
    inner = np.random.default_rng(0).integers(0, 256, (60, 100)).astype(np.uint8)
    boxed = np.zeros((60, 128), np.uint8)
    boxed[:, 14:114] = inner
    bare, seen = survey([SourceFrame(0, 0.0, inner)]), survey([SourceFrame(0, 0.0, boxed)])
    assert bare is not None and seen is not None
    inside = seen.inside(Crop(0, 14, 60, 100))
    np.testing.assert_array_equal(inside.small, bare.small)
    np.testing.assert_array_equal(inside.columns, bare.columns)
    assert inside.size == (60, 100) and seen.inside(None) is seen
    assert seen.inside(Crop(0, 14, 60, 20)) is seen  # too little to find shots in
