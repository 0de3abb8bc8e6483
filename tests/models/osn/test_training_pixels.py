"""Which pixels are trained on, and where their rays point."""

import torch

from models.osn.training_pixels import SparseDepths, TrainingPixels, certain_pixels

INTRINSICS = torch.tensor([10.0, 20.0, 2.0, 1.0])
DEPTHS = SparseDepths(torch.tensor([5, 2]), torch.tensor([7.0, 3.0]), torch.tensor([2.0, 1.0]))


def pixels() -> TrainingPixels:
    """Two frames of 2x4 pixels; object 1 is unknown in frame 1."""
    ids = torch.tensor([[[0, 0, 1, 1], [0, 0, 0, 255]], [[0, 1, 1, 0], [255, 0, 0, 0]]], dtype=torch.uint8)
    images = torch.arange(2 * 2 * 4 * 3, dtype=torch.uint8).view(2, 2, 4, 3)
    return TrainingPixels.build(images, ids, INTRINSICS, torch.tensor([[True, True], [True, False]]), DEPTHS)


def test_ids_at_the_border_of_a_mask_are_trusted_less():
    ids = torch.zeros(1, 12, 12, dtype=torch.uint8)
    ids[0, 3:9, 3:9] = 1
    images, visible = torch.zeros(1, 12, 12, 3, dtype=torch.uint8), torch.ones(2, 1, dtype=torch.bool)
    built = TrainingPixels.build(images, ids, INTRINSICS, visible, DEPTHS, border_px=1, border_trust=0.25)
    batch = built.at(torch.tensor([0, 3 * 12 + 3, 5 * 12 + 5, 2 * 12 + 4]))
    assert batch.certain.tolist() == [True, False, True, False]
    assert batch.trust.tolist() == [1.0, 0.25, 1.0, 0.25]


def test_ignored_pixels_and_unknown_frames_are_left_out():
    assert pixels().usable[0].tolist() == [0, 1, 4, 5, 6, 8, 11, 13, 14, 15]
    assert pixels().usable[1].tolist() == [2, 3]


def test_small_objects_get_more_rays_than_their_area():
    shares = pixels().shares
    assert abs(sum(shares) - 1) < 1e-6 and shares[0] > shares[1] > 2 / 12


def test_batch_holds_the_colour_and_the_ray_of_its_pixels():
    batch = pixels().at(torch.tensor([13]))  # frame 1, row 1, column 1
    assert batch.frames.item() == 1 and batch.objects.item() == 0
    assert torch.allclose(batch.colours * 255, torch.tensor([[39.0, 40.0, 41.0]]))
    assert torch.allclose(batch.directions, torch.tensor([[(1.5 - 2) / 10, (1.5 - 1) / 20, 1.0]]))


def test_a_fifth_of_the_rays_has_known_depth():
    batch = pixels().draw(50, torch.Generator().manual_seed(4))
    known = batch.depth_weight > 0
    assert known.sum() == 10 and set(batch.depth[known].tolist()) == {3.0, 7.0}
    assert (batch.objects[known] == (batch.depth[known] == 3.0)).all()


def test_draws_repeat_with_the_seed():
    first, second = (pixels().draw(50, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first.directions, second.directions)
    assert set(first.objects.tolist()) == {0, 1}


def test_an_even_draw_visits_every_stretch_of_the_usable_pixels_once():
    video, usable = pixels(), torch.cat(pixels().usable)
    everything = video.draw_evenly(100, torch.Generator().manual_seed(0))
    assert torch.equal(everything.directions, video.at(usable.long()).directions)
    half = video.draw_evenly(6, torch.Generator().manual_seed(0))
    assert half.objects.tolist() == [0, 0, 0, 0, 0, 1]


def test_a_draw_by_frame_takes_moving_objects_alone_and_as_many_of_each_in_every_frame():
    ids = torch.zeros(2, 6, 8, dtype=torch.uint8)
    ids[0, :5], ids[1, 2, :3], ids[1, 4, 4:6] = 1, 1, 2
    images, visible = torch.zeros(2, 6, 8, 3, dtype=torch.uint8), torch.ones(3, 2, dtype=torch.bool)
    batch = TrainingPixels.build(images, ids, INTRINSICS, visible, DEPTHS).draw_by_frame(10)
    drawn = list(zip(batch.objects.tolist(), batch.frames.tolist(), strict=True))
    assert {pair: drawn.count(pair) for pair in drawn} == {(1, 0): 10, (1, 1): 3, (2, 1): 2}
    assert len(batch.directions.unique(dim=0)) >= 10


def test_pixels_near_a_border_are_uncertain_and_small_objects_are_taken_as_they_are():
    ids = torch.zeros(1, 12, 12, dtype=torch.uint8)
    ids[0, 3:9, 3:9] = 1
    certain = certain_pixels(ids, 1, 2)[0]
    assert certain[4:8, 4:8].all() and certain[ids[0] == 1].sum() == 16
    assert certain[0, 0] and not certain[2, 5]
    assert certain_pixels(ids, 2, 2)[0, 3:9, 3:9].all()  # four of its 36 pixels would be left
    assert certain_pixels(ids, 0, 2).all()
