"""SAM 3 finds things by their name: the real network with random weights, and what is made of its output."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.config import Prompt
from pipeline.runtime.errors import StageError
from pipeline.segmentation.text_model import TextModel, forget, instances_of
from pipeline.segmentation.text_objects import text_objects
from tests.tiny_sam3 import write_sam3

CPU = torch.device("cpu")
TEXTS = ["red car", "dog"]


def test_instances_know_their_text_and_count_from_one() -> None:
    masks = torch.zeros(2, 4, 6, dtype=torch.bool)
    masks[1, 2] = True
    found = {
        "object_ids": torch.tensor([0, 5]),
        "scores": torch.tensor([0.5, 0.75]),
        "masks": masks,
        "prompt_to_obj_ids": {"dog": [0], "red car": [5]},
    }
    dog, car = instances_of(found, TEXTS)
    assert (dog.number, dog.text, dog.score) == (1, 1, 0.5) and (car.number, car.text, car.score) == (6, 0, 0.75)
    assert not dog.mask.any() and car.mask[2].all()


def test_what_the_memory_will_not_look_at_is_dropped() -> None:
    kept = {"cond_frame_outputs": {0: "given"}, "non_cond_frame_outputs": {1: "a", 4: "b", 5: "c"}}
    forget(SimpleNamespace(output_dict_per_obj={0: kept}), before=5)
    assert kept == {"cond_frame_outputs": {0: "given"}, "non_cond_frame_outputs": {5: "c"}}


def test_the_real_network_finds_things_in_every_frame_under_numbers_that_last(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the sam3 extra is not installed")
    write_sam3(tmp_path / "sam3", seed=1)
    images = np.random.default_rng(0).integers(0, 255, (4, 36, 48, 3)).astype(np.uint8)
    model = TextModel(tmp_path / "sam3", CPU)
    found = list(model.instances(images, TEXTS))
    assert [frame for frame, _ in found] == [0, 1, 2, 3] and model.name == "sam3"
    assert all(one.mask.shape == (36, 48) and one.mask.dtype == bool for _, own in found for one in own)
    texts = {(one.number, one.text) for _, own in found for one in own}
    assert texts and len(texts) == len({number for number, _ in texts})
    objects = text_objects(found, [Prompt(text=text) for text in TEXTS], images.shape[:3], (), 4)
    assert set(objects.names) == set(np.unique(objects.object_ids).tolist()) - {0}
    (tmp_path / "sam3" / "model.safetensors").unlink()
    with pytest.raises(
        StageError, match=r"cannot be read as a model that finds things by their name.*give points or a box"
    ):
        TextModel(tmp_path / "sam3", CPU)
