"""Kinds of footage that people bring, as settings of the simulator; each drawn anew for every seed."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.config import SimulateSceneConfig

Settings = dict[str, Any]
SMALL = {"width": 256, "height": 192, "frames": 24, "held_out_views": 6}


def sign(random: np.random.Generator) -> float:
    """Up or down."""
    return float(random.choice([-1.0, 1.0]))


def recording(**settings: Any) -> Settings:
    return {"recording": settings}


KINDS: dict[str, Callable[[np.random.Generator], Settings]] = {
    "plain": lambda r: {},
    "radial": lambda r: recording(lens="radial", k1=r.uniform(-0.14, -0.07), focal=r.uniform(0.7, 0.8)),
    "fisheye": lambda r: recording(lens="fisheye", focal=r.uniform(0.45, 0.55)),
    "optical zoom": lambda r: recording(zoom=r.uniform(1.3, 1.7) ** sign(r)),
    "digital zoom": lambda r: recording(zoom=r.uniform(1.3, 1.7) ** sign(r), digital_zoom=True),
    "rolling shutter": lambda r: {"shake": r.uniform(0.6, 1.2)} | recording(rolling_shutter=r.uniform(0.6, 0.95)),
    "exposure": lambda r: recording(exposure=r.uniform(0.8, 1.6), white_balance=r.uniform(0.2, 0.6)),
    "motion blur": lambda r: {"shake": r.uniform(0.6, 1.2)} | recording(motion_blur=r.uniform(0.5, 0.9)),
    "gif": lambda r: {"noise": r.uniform(1.0, 3.0)} | recording(compression="gif"),
    "messenger": lambda r: {"width": 448, "height": 336, "noise": 2.0} | recording(compression="messenger"),
    "smooth": lambda r: {"texture": "smooth"},
    "textureless": lambda r: {"texture": "none"},
    "thrown": lambda r: {"motion": "thrown", "objects": int(r.integers(2, 4))},
    "resting": lambda r: {"motion": "resting", "objects": int(r.integers(1, 4))},
    "dash camera": lambda r: {"place": "street", "camera": "driving", "things": "cars", "motion": "traffic"},
    "thin": lambda r: {"things": "thin"},
    "reflections": lambda r: {"reflection": r.uniform(0.25, 0.5), "moving_light": True},
    "entering, leaving": lambda r: {"motion": "crossing", "objects": int(r.integers(1, 4))},
    "hiding": lambda r: {"motion": "hiding", "objects": int(r.integers(3, 5))},
    "five or six": lambda r: {"objects": int(r.integers(5, 7))},
    "200 frames": lambda r: {"camera": "orbiting", "frames": 200, "objects": 1, "width": 192, "height": 144},
    "walking": lambda r: {"camera": "walking", "shake": r.uniform(0.3, 0.8)},
    "hand on the spot": lambda r: {"camera": "static", "shake": r.uniform(0.5, 1.5)},
    "bars and text": lambda r: recording(bars=r.uniform(0.08, 0.13), overlay=True),
    "hard cut": lambda r: {"cut": True},
}


def kind_of(seed: int) -> str:
    """Kinds take turns."""
    return list(KINDS)[seed % len(KINDS)]


def scene_settings(seed: int) -> SimulateSceneConfig:
    """The scene of a seed; `frames` are half the size of common footage or less."""
    random = np.random.default_rng([seed, 4])
    return SimulateSceneConfig.model_validate(SMALL | KINDS[kind_of(seed)](random) | {"seed": seed})
