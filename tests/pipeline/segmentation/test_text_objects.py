"""Which things that were found by their name become objects, under which ids and names."""

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.config import Prompt, SegmentObjectsConfig
from pipeline.runtime.errors import StageError
from pipeline.segmentation.prompts import check_prompts
from pipeline.segmentation.text_objects import Instance, text_objects

SHAPE = (3, 20, 40)
TEXTS = [Prompt(text="red car"), Prompt(text="dog", name="Rex")]


def block(left: int, right: int, bottom: int = 10) -> np.ndarray:
    """A mask of some columns, from the top down to a row."""
    mask = np.zeros(SHAPE[1:], bool)
    mask[:bottom, left:right] = True
    return mask


def test_ids_go_by_text_then_by_time_then_from_left_to_right() -> None:
    found = [
        (0, [Instance(7, 1, 0.9, block(0, 5)), Instance(2, 0, 0.8, block(30, 36)), Instance(4, 0, 0.6, block(10, 16))]),
        (1, [Instance(2, 0, 0.8, block(28, 34)), Instance(3, 0, 0.9, block(0, 8))]),
    ]
    objects = text_objects(found, TEXTS, SHAPE, taken={2}, most=9)
    assert objects.names == {1: "red car 1", 3: "red car 2", 4: "red car 3", 5: "Rex"}
    ids = objects.object_ids
    assert [ids[0, 0, x] for x in (2, 12, 32)] == [5, 1, 3] and [ids[1, 0, x] for x in (2, 30)] == [4, 3]
    assert not ids[2].any() and ids.dtype == np.uint8 and not objects.warnings


def test_the_surer_one_counts_where_two_overlap_and_the_largest_are_kept() -> None:
    found = [
        (
            0,
            [
                Instance(1, 0, 0.9, block(4, 12)),
                Instance(2, 0, 0.5, block(0, 40, 20)),
                Instance(3, 0, 0.7, block(30, 32)),
            ],
        )
    ]
    objects = text_objects(found, TEXTS, SHAPE, taken=(), most=2)
    ids = objects.object_ids[0]
    assert ids[0, 0] == 2 and ids[0, 5] == 1 and ids[0, 30] == 0
    assert objects.names == {1: "red car 1", 2: "red car 2"}
    few, none = objects.warnings
    assert few.startswith('of 3 things that are called "red car", 1 that show fewest pixels') and "max_objects" in few
    assert none == 'nothing was found that is called "dog": take another word, or click on it'


def test_what_is_found_twice_by_one_text_is_one_thing() -> None:
    twice = [Instance(1, 0, 0.9, block(4, 12)), Instance(2, 0, 0.5, block(4, 14)), Instance(3, 1, 0.4, block(4, 20))]
    alone = [Instance(2, 0, 0.5, block(20, 30))]
    objects = text_objects([(0, twice), (1, twice), (2, alone)], TEXTS, SHAPE, (), 9)
    assert objects.names == {1: "red car", 2: "Rex"}
    apart = text_objects([(0, twice), (1, alone), (2, alone)], TEXTS, SHAPE, (), 9)
    assert sorted(apart.names.values()) == ["Rex", "red car 1", "red car 2"]


def test_a_text_stands_alone_and_comes_once() -> None:
    for more in ({"object": 3}, {"points": [(1, 2)]}, {"box": (0, 0, 1, 1)}, {"frame": 2}):
        with pytest.raises(ValidationError, match="give the text alone"):
            Prompt(text="dog", **more)
    with pytest.raises(ValidationError, match=r"neither an object .* nor a text"):
        Prompt(points=[(1.0, 2.0)])
    with pytest.raises(StageError, match=r'two prompts have the text "dog"'):
        check_prompts([Prompt(text="dog"), Prompt(text="dog")], SHAPE)
    config = SegmentObjectsConfig(prompts=[*TEXTS, Prompt(object=1, points=[(1.0, 2.0)])])
    assert config.texts == TEXTS and [prompt.object for prompt in config.with_clicks_only.prompts] == [1]
