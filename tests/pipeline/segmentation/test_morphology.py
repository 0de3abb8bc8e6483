"""The shapes by which masks are grown and shrunk."""

from pipeline.segmentation.morphology import disk


def test_a_disk_is_round_and_as_wide_as_its_radius_says() -> None:
    assert disk(1).tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    assert disk(4).shape == (9, 9) and disk(4)[0, 0] == 0 and disk(4)[4].all()
