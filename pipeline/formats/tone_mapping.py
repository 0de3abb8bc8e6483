"""HDR video (PQ or HLG, BT.2020 primaries) as the sRGB image that a common screen would show."""

from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8, UInt16

PQ, HLG = 16, 18  # transfer characteristics by their numbers in ITU-T H.273, as FFmpeg has them
CURVES = {PQ: "PQ", HLG: "HLG"}
WHITE_NITS = 203.0  # of a diffuse white, ITU-R BT.2408
PEAK_NITS = 1000.0  # that HLG is shown at, and most PQ is graded for
PEAK = PEAK_NITS / WHITE_NITS
KNEE = 0.3  # linear light below which tone mapping changes nothing
FINE = 4095  # steps of the table of sRGB
BT709_FROM_BT2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # ITU-R BT.2087
BT2020_LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)


def tone_mapped(coded: UInt16[np.ndarray, "height width rgb=3"], curve: int) -> UInt8[np.ndarray, "height width rgb=3"]:
    """Codes of 16 bits as sRGB: light, primaries, highlights compressed by the largest channel so that hues stay."""
    light = light_table(curve)[coded]
    if curve == HLG:  # BT.2100's system gamma of 1.2, which acts on luminance
        light = light * (np.maximum(light @ BT2020_LUMA, 1e-6) ** 0.2)[..., None] * PEAK
    light = np.maximum(cv2.transform(light, BT709_FROM_BT2020), 0)
    largest = np.maximum(light.max(-1), 1e-6)
    light = light * (compressed(largest) / largest)[..., None]
    return srgb_table()[(light * FINE).round().astype(np.int32).clip(0, FINE)]


@cache
def light_table(curve: int) -> Float[np.ndarray, "code"]:
    """Linear light of every 16-bit code: of PQ in units of diffuse white, of HLG as the scene's, 0 to 1."""
    code = np.linspace(0, 1, 65536)
    return (pq_light(code) if curve == PQ else hlg_light(code)).astype(np.float32)


def pq_light(code: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """SMPTE ST 2084's EOTF."""
    root = code ** (1 / 78.84375)
    ratio = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return 10000 / WHITE_NITS * ratio ** (1 / 0.1593017578125)


def hlg_light(code: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """The inverse of ITU-R BT.2100's HLG OETF."""
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12)


def compressed(light: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """The Moebius curve: straight below the knee, 1 at the peak, smooth between."""
    a = -(KNEE**2) * (PEAK - 1) / (KNEE**2 - 2 * KNEE + PEAK)
    b = (KNEE**2 - 2 * KNEE * PEAK + PEAK) / (PEAK - 1)
    bent = (b**2 + 2 * b * KNEE + KNEE**2) / (b - a) * (light + a) / (light + b)
    return np.where(light <= KNEE, light, np.minimum(bent, 1))


@cache
def srgb_table() -> UInt8[np.ndarray, "code"]:
    """IEC 61966-2-1's encoding of linear light in even steps."""
    light = np.linspace(0, 1, FINE + 1)
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (255 * coded).round().astype(np.uint8)
