"""Which frames of a long video are in memory: a part at a time, chosen by the step alone."""

from types import SimpleNamespace

import pytest
import torch

from pipeline.scene.frame_windows import CPU_MEMORY_MB, frames_that_fit, pixel_memory_mb, window_frames, window_number


@pytest.mark.parametrize(("frames", "count"), [(9, 3), (10, 4), (7, 7), (5, 1)])
def test_all_frames_are_seen_before_long(frames: int, count: int) -> None:
    windows = [window_frames(frames, count, 0, number) for number in range(-(-frames // count))]
    assert all(len(set(window)) == count for window in windows)
    assert {frame for window in windows for frame in window} == set(range(frames))


def test_windows_repeat_with_the_seed_and_change_with_the_cycle() -> None:
    assert window_frames(40, 10, 3, 2) == window_frames(40, 10, 3, 2)
    assert window_frames(40, 10, 3, 2) != window_frames(40, 10, 3, 6)
    assert [window_number(step, 40, 10, 5) for step in (0, 4, 5, 12)] == [0, 0, 1, 2]
    assert window_number(12, 40, 40, 5) == 0


def test_memory_is_what_is_asked_for_or_a_share_of_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    card = SimpleNamespace(total_memory=80_000_000_000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert pixel_memory_mb(7, cuda) == 7 and pixel_memory_mb(None, cpu) == CPU_MEMORY_MB
    assert pixel_memory_mb(None, cuda) == 20_000
    # 2000 MB / (50 bytes x 1000 pixels) = 40 000 frames; half a frame is still one.
    assert frames_that_fit(50_000, (20, 50), 2000.0, 50) == 40_000
    assert frames_that_fit(50_000, (20, 50), 0.02, 50) == 1 and frames_that_fit(9, (20, 50), 2000.0, 50) == 9
