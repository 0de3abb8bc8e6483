import numpy as np
import pytest

from pipeline.formats.tone_mapping import HLG, PEAK, PQ, compressed, hlg_light, pq_light, tone_mapped


def test_curves_have_the_values_of_their_standards() -> None:
    # BT.2408: diffuse white, 203 nits, is 58 % in PQ and 75 % in HLG; PQ's full code is 10 000 nits.
    np.testing.assert_allclose(pq_light(np.array([0.0, 0.5807, 1.0])) * 203, [0, 203, 10000], rtol=2e-3)
    # The HLG curve is a square root up to 1/12 of the light, where its code is 0.5.
    np.testing.assert_allclose(hlg_light(np.array([0.0, 0.25, 0.5, 1.0])), [0, 0.0625 / 3, 1 / 12, 1], atol=1e-6)


def test_highlights_are_compressed_and_the_rest_is_kept() -> None:
    np.testing.assert_allclose(compressed(np.array([0.1, 0.3, PEAK, 2 * PEAK])), [0.1, 0.3, 1, 1], atol=1e-9)
    steps = compressed(np.array([0.3 - 1e-6, 0.3, 0.3 + 1e-6]))
    assert np.diff(steps)[1] == pytest.approx(np.diff(steps)[0], rel=1e-3)  # smooth at the knee


def test_a_grey_of_pq_becomes_the_srgb_of_its_light() -> None:
    # 20.3 nits are 0.1 of diffuse white, below the knee; sRGB: 1.055 * 0.1 ** (1 / 2.4) - 0.055 = 0.3492, 89 of 255.
    code = np.interp(20.3, pq_light(np.linspace(0, 1, 65536)) * 203, np.arange(65536)).round().astype(np.uint16)
    assert tone_mapped(np.full((1, 1, 3), code), PQ).tolist() == [[[89, 89, 89]]]
    # HLG's 75 % is diffuse white: 1, which the Moebius curve with knee 0.3 and peak 4.926 takes to 0.679, sRGB 215.
    assert tone_mapped(np.full((1, 1, 3), round(0.75 * 65535), np.uint16), HLG).tolist() == [[[215, 215, 215]]]


def test_colours_of_bt709_come_back_from_bt2020() -> None:
    """Red of BT.709 in BT.2020 is (0.6274, 0.0691, 0.0164), BT.2087."""
    light = np.array([0.6274, 0.0691, 0.0164]) * 0.3
    code = np.interp(light, pq_light(np.linspace(0, 1, 65536)), np.arange(65536)).round().astype(np.uint16)
    red, green, blue = tone_mapped(code[None, None], PQ)[0, 0]
    assert abs(int(red) - 149) <= 1 and green <= 4 and blue <= 4  # sRGB of 0.3 is 149
