"""Hints: which are refused, which region they point at, and what they cut out."""

import numpy as np
import pytest

from pipeline.config import Prompt
from pipeline.runtime.errors import StageError
from pipeline.segmentation.prompts import check_prompts, mask_from_hint, obeyed, overlap, prompted_objects, region_under
from tests.pipeline.segmentation.small_videos import still_chain
from tests.pipeline.test_segment_objects import FRAMES, HEIGHT, WIDTH, texture


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(object=1, frame=99, points=[(1, 1)]), "12 frames"),
        (Prompt(object=1, points=[(400, 1)]), r"\(400, 1\) is outside"),
        (Prompt(object=1, points=[(1, 1), (2, 2)], labels=[1]), "2 points and 1 labels"),
        (Prompt(object=1, points=[(1, 1)], labels=[0]), "only points beside the object"),
        (Prompt(object=1, box=(60, 60, 20, 80)), "is empty; a box is x0, y0, x1, y1"),
    ],
)
def test_hints_that_cannot_be_meant_are_refused(prompt: Prompt, message: str) -> None:
    with pytest.raises(StageError, match=message):
        check_prompts([prompt], (FRAMES, HEIGHT, WIDTH))


def test_two_things_under_one_id_are_refused() -> None:
    first = Prompt(object=1, points=[(1, 1)], name="cup")
    with pytest.raises(StageError, match="object 1 has two prompts on frame 0"):
        check_prompts([first, Prompt(object=1, points=[(9, 9)])], (FRAMES, HEIGHT, WIDTH))
    with pytest.raises(StageError, match="object 1 is called cup and jar"):
        check_prompts([first, Prompt(object=1, frame=2, points=[(9, 9)], name="jar")], (FRAMES, HEIGHT, WIDTH))
    check_prompts([first, Prompt(object=1, frame=2, points=[(9, 9)])], (FRAMES, HEIGHT, WIDTH))


def test_a_hint_points_at_the_region_under_most_of_its_clicks_or_inside_its_box() -> None:
    tubes = np.zeros((40, 60), np.uint8)
    tubes[5:20, 5:20], tubes[20:30, 5:20] = 4, 7
    assert region_under(tubes, Prompt(object=1, points=[(8, 8), (10, 12), (8, 25)])) == 4
    assert region_under(tubes, Prompt(object=1, points=[(8, 8), (8, 25)], labels=[0, 1])) == 7
    assert region_under(tubes, Prompt(object=1, points=[(50, 30)])) == 0
    assert region_under(tubes, Prompt(object=1, box=(3, 19, 22, 32))) == 7
    assert region_under(tubes, Prompt(object=1, box=(3, 3, 12, 12))) == 0, "the region is much larger than the box"


@pytest.mark.parametrize("prompt", [Prompt(object=1, points=[(43, 29)]), Prompt(object=1, box=(26, 12, 60, 46))])
def test_a_hint_cuts_out_what_differs_from_its_surroundings(prompt: Prompt) -> None:
    image, truth = texture(0, (HEIGHT, WIDTH), (90, 90, 110)), np.zeros((HEIGHT, WIDTH), bool)
    image[16:42, 30:56], truth[16:42, 30:56] = texture(1, (26, 26), (190, 70, 60)), True
    found = mask_from_hint(image, prompt)
    assert (found & truth).sum() > 0.8 * (found | truth).sum()


def test_objects_keep_their_ids_and_the_tubes_under_their_clicks() -> None:
    tubes = np.zeros((2, 40, 60), np.uint8)
    tubes[:, 5:20, 5:20], tubes[:, 25:35, 5:20] = 1, 2
    prompts = [Prompt(object=k, points=[point]) for k, point in ((9, (8, 8)), (3, (8, 30)))]
    found = prompted_objects(np.zeros((2, 40, 60, 3), np.uint8), tubes, still_chain(2, (40, 60)), prompts)
    np.testing.assert_array_equal(found.tubes, np.select([tubes == 1, tubes == 2], [9, 3], 0))
    assert not found.carried.any()


def two_things_side_by_side() -> tuple[np.ndarray, np.ndarray]:
    """Four frames of two still things that touch, on a wall; true ids."""
    image, truth = texture(0, (60, 90), (90, 90, 110)), np.zeros((60, 90), np.uint8)
    for k, left, tint in ((1, 20, (190, 70, 60)), (2, 42, (60, 160, 70))):
        image[18:40, left : left + 22], truth[18:40, left : left + 22] = texture(k, (22, 22), tint), k
    return np.stack([image] * 4), np.stack([truth] * 4)


def test_two_clicked_things_in_one_tube_stay_two() -> None:
    images, truth = two_things_side_by_side()
    prompts = [Prompt(object=1, points=[(31, 29)]), Prompt(object=2, points=[(53, 29)])]
    found = prompted_objects(images, (truth > 0).astype(np.uint8), still_chain(4, (60, 90)), prompts)
    assert not found.tubes.any()
    for k in (1, 2):
        assert all(overlap(found.carried[t] == k, truth[t] == k) > 0.7 for t in range(4))


def test_a_click_on_a_still_thing_stays_on_it_though_its_flow_is_that_of_the_background() -> None:
    images, truth = two_things_side_by_side()
    found = prompted_objects(
        images, np.zeros_like(truth), still_chain(4, (60, 90)), [Prompt(object=1, frame=1, points=[(31, 29)])]
    )
    assert all(overlap(found.carried[t] == 1, truth[t] == 1) > 0.7 for t in range(4))


def test_a_click_beside_takes_the_tube_from_an_object() -> None:
    images, truth = two_things_side_by_side()
    prompts = [Prompt(object=1, points=[(31, 29), (53, 29)], labels=[1, 0])]
    found = prompted_objects(images, (truth > 0).astype(np.uint8), still_chain(4, (60, 90)), prompts)
    assert not found.tubes.any() and overlap(found.carried[0] == 1, truth[0] == 1) > 0.7
    assert found.carried[0, 29, 53] == 0


def test_clicks_hold_whatever_was_found() -> None:
    ids = np.full((2, 40, 60), 1, np.uint8)
    prompts = [
        Prompt(object=1, points=[(10.5, 10.5), (30.5, 10.5)], labels=[1, 0]),
        Prompt(object=2, points=[(11.5, 10.5)]),
    ]
    held = obeyed(ids, prompts)
    assert held[0, 10, 10] == 1 and held[0, 10, 11] == 2 and held[0, 10, 30] == 0
    np.testing.assert_array_equal(held[1], ids[1])
