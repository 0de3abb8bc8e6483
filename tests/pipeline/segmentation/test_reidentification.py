"""Things that come back under their old id, and things that only look like others."""

import numpy as np

from pipeline.segmentation.reidentification import Stay, known_again, looks_beside, may_be, same_things

SIZE, FRAMES = (40, 120), 12
RED, GREEN = (220, 30, 20), (20, 200, 60)


def seen(spans: dict[int, dict[int, int]], colours: dict[int, tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Squares of 12 pixels: by id, then by frame, the column of the left edge. Images and ids."""
    images, ids = np.full((FRAMES, *SIZE, 3), 90, np.uint8), np.zeros((FRAMES, *SIZE), np.uint8)
    for k, columns in spans.items():
        for t, left in columns.items():
            images[t, 12:24, left : left + 12], ids[t, 12:24, left : left + 12] = colours[k], k
    return images, ids


def before_and_after(start: int, colour: tuple[int, int, int]) -> np.ndarray:
    """One moves right by 3 pixels a frame until frame 3; another begins in frame 7 at a column. What becomes of the ids."""
    images, ids = seen(
        {1: {t: 10 + 3 * t for t in range(4)}, 2: {t: start + 3 * (t - 7) for t in range(7, 12)}}, {1: RED, 2: colour}
    )
    return np.unique(known_again(images, ids))


def test_a_thing_that_comes_out_where_it_can_be_has_its_old_id() -> None:
    assert before_and_after(31, RED).tolist() == [0, 1]


def test_a_thing_of_other_colours_is_another() -> None:
    assert before_and_after(31, GREEN).tolist() == [0, 1, 2]


def test_a_thing_that_appears_too_far_away_is_another() -> None:
    assert before_and_after(90, RED).tolist() == [0, 1, 2]  # 71 px in 4 frames; 18 and twice its width are possible


def test_what_leaves_the_image_may_enter_it_anywhere() -> None:
    images, ids = seen({1: {0: 20, 1: 10, 2: 0}, 2: {8: 108, 9: 98, 10: 88}}, {1: RED, 2: RED})
    assert np.unique(known_again(images, ids)).tolist() == [0, 1]


def test_things_seen_at_once_are_two_and_a_blink_is_none() -> None:
    images, ids = seen({1: {t: 10 for t in range(8)}, 2: {t: 40 for t in range(4, 12)}}, {1: RED, 2: RED})
    assert np.unique(known_again(images, ids)).tolist() == [0, 1, 2]
    images, ids = seen({1: {t: 10 for t in range(5)}, 2: {t: 14 for t in range(6, 12)}}, {1: RED, 2: RED})
    ids[8, 12:15, 80:85] = 1  # a tenth of it, somewhere else
    assert np.unique(known_again(images, ids)).tolist() == [0, 1]


def test_ids_go_on_over_several_gaps_in_any_order_of_numbers() -> None:
    images, ids = seen({3: {0: 10, 1: 12}, 1: {4: 18, 5: 20}, 2: {8: 26, 9: 28}}, {1: RED, 2: RED, 3: RED})
    found = known_again(images, ids)
    assert np.unique(found).tolist() == [0, 3]
    np.testing.assert_array_equal(found > 0, ids > 0)


def test_another_size_is_another_thing() -> None:
    frames, middles = np.arange(3), np.zeros((3, 2))
    small, large = Stay(frames, middles, 100.0, (False, False)), Stay(frames + 5, middles, 400.0, (False, False))
    assert not may_be(small, large)
    assert may_be(small, Stay(frames + 5, middles, 250.0, (False, False)))
    assert not may_be(large, small)


def test_what_looks_like_the_thing_that_it_is_seen_with_is_no_other_that_is_gone() -> None:
    spans = {1: {0: 10, 1: 12}, 2: {t: 40 for t in range(12)}, 3: {t: 26 for t in range(3, 12)}}
    rather_red, redder = (210, 30, 20), (206, 30, 20)
    images, ids = seen(spans, {1: rather_red, 2: redder, 3: redder})
    assert looks_beside(images, ids, (2, 3), np.arange(3, 12)) > 0.99
    assert same_things(images, ids) == {1: 1, 2: 2, 3: 1}, "alone it may be the one that has gone"
    assert same_things(images, ids, [(2, 3)]) == {1: 1, 2: 2, 3: 3}
    images, ids = seen(spans, {1: redder, 2: GREEN, 3: redder})
    assert same_things(images, ids, [(2, 3)]) == {1: 1, 2: 2, 3: 1}, "it looks more like the one that has gone"


def test_of_two_that_come_next_the_one_that_looks_more_alike_is_the_old_one() -> None:
    spans = {1: {0: 10, 1: 12}, 2: {t: 16 for t in range(3, 9)}, 3: {t: 30 for t in range(4, 9)}}
    images, ids = seen(spans, {1: (206, 30, 20), 2: (210, 30, 20), 3: (206, 30, 20)})
    assert same_things(images, ids) == {1: 1, 2: 2, 3: 1}


def test_an_id_that_goes_over_into_another_within_a_frame_or_two_is_one_thing() -> None:
    images, ids = seen({1: {t: 10 for t in range(5)}, 2: {t: 23 for t in range(4, 12)}}, {1: RED, 2: RED})
    assert np.unique(known_again(images, ids)).tolist() == [0, 1]


def test_what_is_nearly_hidden_does_not_tell_what_a_thing_looks_like() -> None:
    images, ids = seen({1: {t: 10 for t in range(6)}, 2: {t: 16 for t in range(7, 12)}}, {1: RED, 2: RED})
    images[4:6, 12:24, 10:22], ids[4:6, 12:21] = GREEN, 0  # a fourth of it, and of the wrong colour
    assert np.unique(known_again(images, ids)).tolist() == [0, 1]
