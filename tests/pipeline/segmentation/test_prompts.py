"""Hints: which are refused, which region they point at, and what they cut out."""

import numpy as np
import pytest

from pipeline.config import Prompt
from pipeline.runtime.errors import StageError
from pipeline.segmentation.prompts import check_prompts, mask_from_hint, prompted_tubes, region_under
from tests.pipeline.segmentation.small_videos import still_chain
from tests.pipeline.test_segment_objects import FRAMES, HEIGHT, WIDTH, texture


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(object=1, frame=99, points=[(1, 1)]), "12 frames"),
        (Prompt(object=1, points=[(400, 1)]), r"\(400, 1\) is outside"),
        (Prompt(object=1), "neither points nor a box"),
        (Prompt(object=1, points=[(1, 1), (2, 2)], labels=[1]), "2 points and 1 labels"),
        (Prompt(object=1, points=[(1, 1)], labels=[0]), "only points beside the object"),
        (Prompt(object=1, box=(60, 60, 20, 80)), "is empty; a box is x0, y0, x1, y1"),
        (Prompt(object=1, points=[(float("nan"), 1)]), r"\(nan, 1\) is outside"),
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


def test_objects_keep_their_ids_and_the_first_one_its_pixels() -> None:
    tubes = np.zeros((2, 40, 60), np.uint8)
    tubes[:, 5:20, 5:20], tubes[:, 25:35, 5:20] = 1, 2
    prompts = [Prompt(object=k, points=[point]) for k, point in ((9, (8, 8)), (3, (8, 30)), (5, (10, 30)))]
    found = prompted_tubes(np.zeros((2, 40, 60, 3), np.uint8), tubes, still_chain(2, (40, 60)), prompts)
    assert (found[:, 10, 10] == 9).all() and (found[:, 30, 10] == 3).all() and set(np.unique(found)) == {0, 3, 9}
