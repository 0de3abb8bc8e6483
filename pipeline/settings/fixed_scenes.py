"""Our own benchmark scenes, in the place of data that cannot be had: simulated, in a version that does not change.

`indoor`: five rooms of 3 to 8 objects, the background among them, as OSN's Indoor has. `many_truths`: one video that is
true of 50 other scenes, with views of each. Figures can be compared over time as long as the digests of what is rendered
are the ones here; who changes the simulator so that they are not writes a new version, and new figures.
"""

from typing import Literal, NamedTuple

from pipeline.settings.simulation import SimulateSceneConfig

VERSION = 1
FixedSceneName = Literal["indoor_0", "indoor_1", "indoor_2", "indoor_3", "indoor_4", "many_truths"]
SIZE = {"frames": 24, "height": 192, "width": 256}


class FixedScene(NamedTuple):
    """How a scene is simulated, and the digest of what comes out (`pipeline.truth.fixed_scenes.truth_digest`)."""

    config: SimulateSceneConfig
    digest: str


def scene(digest: str, **settings: int) -> FixedScene:
    return FixedScene(SimulateSceneConfig.model_validate({**SIZE, **settings}), digest)


FIXED_SCENES: dict[FixedSceneName, FixedScene] = {
    "indoor_0": scene("119c0bc3135e2f35", seed=100, objects=2, held_out_views=8),
    "indoor_1": scene("0854bd6d7eb9f3b4", seed=101, objects=3, held_out_views=8),
    "indoor_2": scene("4571303e14e76b7f", seed=102, objects=4, held_out_views=8),
    "indoor_3": scene("12b3e2144d1dacdf", seed=103, objects=5, held_out_views=8),
    "indoor_4": scene("6fc82bd7d0f1c0b2", seed=104, objects=7, held_out_views=8),
    "many_truths": scene("3358e338c7e10d49", seed=105, objects=2, combinations=50),
}
