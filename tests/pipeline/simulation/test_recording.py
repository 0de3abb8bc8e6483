"""What recording does to images is what its settings say."""

import numpy as np

from pipeline.config import RecordingConfig, SimulateSceneConfig
from pipeline.simulation.recording import compressed, enlarged_middle, focal_lengths, gains, overlaid

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 255, (5, 48, 64, 3), dtype=np.uint8)


def config(**recording) -> SimulateSceneConfig:
    return SimulateSceneConfig(frames=5, recording=RecordingConfig(**recording))


def test_a_zoom_is_even_in_ratio_and_has_the_plain_focal_length_in_the_middle() -> None:
    focals = focal_lengths(config(zoom=1.6), 100.0)
    assert focals[2] == 100.0 and np.isclose(focals[-1] / focals[0], 1.6)
    np.testing.assert_allclose(focals[1:] / focals[:-1], 1.6**0.25)


def test_exposure_and_white_balance_wander_only_where_asked() -> None:
    assert (gains(np.random.default_rng(0), config()) == 1).all()
    bright = np.log2(gains(np.random.default_rng(0), config(exposure=1.0)))
    assert np.ptp(bright[:, 1]) > 0.3 and np.allclose(bright[:, 0], bright[:, 2])
    warm = np.log2(gains(np.random.default_rng(0), config(white_balance=0.5)))
    assert np.ptp(warm[:, 0] - warm[:, 2]) > 0.1 and np.allclose(warm[:, 1], 0)


def test_bars_and_text_are_where_truth_says() -> None:
    shown, drawn = overlaid(IMAGES, config(bars=0.125, overlay=True))
    assert drawn[:, :6].all() and drawn[:, -6:].all() and 0.25 < drawn.mean() < 0.6
    assert (shown[:, :6] == 0).all() and (shown[~drawn] == IMAGES[~drawn]).all()
    assert (shown[0] != shown[4])[drawn[0] & drawn[4]].any()  # the clock runs
    assert not overlaid(IMAGES, config())[1].any()


def test_a_gif_has_256_colours_and_a_messenger_halves() -> None:
    frames, _ = compressed(IMAGES, config(compression="gif"))
    assert len(np.unique(np.stack(list(frames)).reshape(-1, 3), axis=0)) <= 256
    frames, rate = compressed(IMAGES, config(compression="messenger"))
    assert next(iter(frames)).shape == (24, 32, 3) and rate > 30


def test_a_digital_zoom_keeps_the_middle_where_it_is() -> None:
    y, x = np.mgrid[:48, :64] + 0.5
    ramp = np.stack([2 * x, 3 * y, np.zeros_like(x)], axis=-1).round().astype(np.uint8)
    zoomed = enlarged_middle(ramp, 2.0).astype(float)
    np.testing.assert_allclose(zoomed[10:38, 10:54, 0], (2 * (32 + (x - 32) / 2))[10:38, 10:54], atol=1.1)
    np.testing.assert_allclose(zoomed[10:38, 10:54, 1], (3 * (24 + (y - 24) / 2))[10:38, 10:54], atol=1.1)
