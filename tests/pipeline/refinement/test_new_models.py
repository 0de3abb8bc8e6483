"""Points of new objects are followed, and of nothing else; how a model comes from them is tested with the stage."""

import numpy as np

from pipeline.config import RefineMasksConfig
from pipeline.refinement.new_models import tracks_of
from tests.pipeline.refinement.sliding_square import FRAMES, SQUARE_PX, flow_pairs, images, true_ids


def test_tracks_lie_on_the_new_object_only_and_go_with_it() -> None:
    ids = np.where(true_ids() == 1, 3, 0).astype(np.uint8)
    ids[:, :5] = 1  # an object that was known before
    tracks = tracks_of({3}, ids, images(), flow_pairs(), RefineMasksConfig(patch_radius_px=3))
    assert set(tracks.object_ids) == {3}
    columns, rows = np.floor(tracks.observation_xy).astype(int).T
    assert (ids[tracks.observation_frame, rows, columns] == 3).all()
    longest = np.bincount(tracks.observation_track).argmax()
    xy = tracks.observation_xy[tracks.observation_track == longest]
    assert len(xy) == FRAMES
    np.testing.assert_allclose(np.diff(xy[:, 0]), SQUARE_PX, atol=0.1)
