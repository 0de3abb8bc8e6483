"""SAM 3 follows masks and clicks: the folder that also finds named things, with random weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.config import Prompt
from pipeline.runtime.errors import StageError
from pipeline.segmentation.propagators.sam3 import TRACKER
from pipeline.segmentation.sam_video import SamVideo
from pipeline.segmentation.video_model import choose_video_model, followed_ids, hints_from_prompts
from tests.pipeline.segmentation.test_video_model import HEIGHT, WIDTH, box
from tests.tiny_sam3 import write_sam3

CPU = torch.device("cpu")


def test_without_its_folder_sam3_says_where_to_get_one(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text(json.dumps({"model_type": "sam2"}))
    with pytest.raises(StageError, match=r"propagator is sam3, but .* no folder of SAM 3 .*hf download facebook/sam3"):
        choose_video_model(tmp_path, "sam3", CPU)
    assert choose_video_model(tmp_path, "auto", CPU) is None


def test_the_real_network_follows_masks_and_clicks(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the sam3 extra is not installed")
    write_sam3(tmp_path / "sam3", seed=1)
    images = np.random.default_rng(0).integers(0, 255, (4, HEIGHT, WIDTH, 3)).astype(np.uint8)
    model = choose_video_model(tmp_path, "auto", CPU)
    assert isinstance(model, SamVideo) and model.name == "sam3"
    hints = {3: {2: box(3, 8)}, 9: {0: box(22, 30)}}
    visits = sorted((t, k) for t, logits in model.walk(images, hints) for k in logits)
    assert visits == [(t, k) for t in range(4) for k in (3, 9)]
    ids = followed_ids(model, images, hints)
    for k, own in hints.items():
        for t, mask in own.items():
            np.testing.assert_array_equal(ids[t] == k, mask)
    clicks = [
        Prompt(object=2, frame=3, points=[(20.0, 10.0), (3.0, 3.0)], labels=[1, 0]),
        Prompt(object=5, box=(3, 4, 30, 30)),
    ]
    walked = {(t, k): logit for t, own in model.walk(images, hints_from_prompts(clicks)) for k, logit in own.items()}
    assert len(walked) == 8 and all(
        np.isfinite(logit).all() and logit.shape == (HEIGHT, WIDTH) for logit in walked.values()
    )
    assert TRACKER.models["sam3_video"][0] == type(model.network).__name__
