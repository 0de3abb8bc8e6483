"""Places where masks are true."""

import torch

from models.ops.compaction import places
from tests.simulated_cuda import simulated_cuda


def test_a_buffer_holds_the_first_places_in_order_and_says_which_are_filled() -> None:
    kept = torch.tensor([False, True, True, False, True])
    place, filled = places(kept, None)
    assert place.tolist() == [1, 2, 4] and filled.tolist() == [True] * 3
    place, filled = places(kept, 5)
    assert place[filled].tolist() == [1, 2, 4] and filled.tolist() == [True] * 3 + [False] * 2
    place, filled = places(kept, 2)  # what does not fit is left out
    assert place.tolist() == [1, 2] and filled.all()
    place, filled = places(torch.zeros(4, dtype=torch.bool), 3)
    assert len(place) == 3 and not filled.any()


def test_the_host_waits_for_no_buffer() -> None:
    with simulated_cuda() as card:
        kept = torch.rand(50, device="cuda") > 0.5
        with card.watched() as seen:
            place, filled = places(kept, 30)
        assert seen.syncs == 0 and seen.kernels < 12
        assert place[filled].tolist() == kept.cpu().nonzero()[:30, 0].tolist()
