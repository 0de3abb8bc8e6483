"""Renders of the trained fields behind the page's scene, where a view rests: at rising resolution, until something moves."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.spatial.transform import Rotation

from pipeline.cameras import Intrinsics
from pipeline.rendering.trained_method import TrainedMethod
from pipeline.rendering.view_pictures import render_chunks, view_rays
from pipeline.runtime.errors import StageError

log = logging.getLogger("pipeline.view_scene")
RESTED_S = 0.4  # a view that stays this long is rendered
HEIGHTS = (60, 120, 240, 480)
RAYS_AT_ONCE = 8192
PATIENCE_S = 0.1
BEHIND = 1.005  # of depth: what lies on a surface is seen over its picture


@dataclass(frozen=True)
class Wanted:
    """What is to be rendered: a method, as it was edited; a time; scales."""

    method: TrainedMethod
    frame: int
    scales: Float[np.ndarray, "object"]


class FieldRenders:
    """One thread for each client of a page; `wanted` may take its time, `cover` hides what the picture stands for.

    Nothing is rendered where nothing is wanted.
    """

    def __init__(
        self,
        server: Any,
        unit: float,
        wanted: Callable[[], Wanted | None],
        cover: Callable[[bool], None],
        turned_on: bool = True,
    ) -> None:
        self.server, self.unit, self.wanted, self.cover, self.turned_on = server, unit, wanted, cover, turned_on
        self.moved = time.monotonic()

    def touch(self) -> None:
        """Something moved: all renders are stale."""
        self.moved = time.monotonic()

    def attend(self, client: Any) -> None:
        """Render for a client from now on."""
        state = {"moved": time.monotonic()}
        client.camera.on_update(lambda _: state.update(moved=time.monotonic()))
        threading.Thread(target=self.work, args=(client, state), daemon=True).start()

    def work(self, client: Any, state: dict[str, float]) -> None:
        """Pictures for as long as nothing moves; splats and points alone while something does."""
        done: tuple[float, int] = (0.0, len(HEIGHTS))
        shown = False
        while client.client_id in self.server.get_clients():
            time.sleep(PATIENCE_S)
            changed = max(state["moved"], self.moved)
            if changed != done[0]:
                if shown:
                    self.cover(False)
                    client.scene.set_background_image(None)
                done, shown = (changed, 0), False
            if not self.turned_on or time.monotonic() - changed <= RESTED_S or done[1] >= len(HEIGHTS):
                continue
            wanted = self.asked()
            if wanted is None:
                done = (changed, len(HEIGHTS))
                continue
            image, depth = field_image(wanted, client.camera, HEIGHTS[done[1]], self.unit)
            if max(state["moved"], self.moved) == changed and client.client_id in self.server.get_clients():
                self.show(client, image, depth)
                done, shown = (changed, done[1] + 1), True

    def asked(self) -> Wanted | None:
        """What is to be rendered; None where that cannot be, which is told."""
        try:
            return self.wanted()
        except StageError as error:
            log.warning("nothing is rendered: %s", error)
            return None

    def show(self, client: Any, image: UInt8[np.ndarray, "h w 3"], depth: Float[np.ndarray, "h w"]) -> None:
        """A picture behind the layers, in the place of splats and points; before all where others look, too."""
        alone = len(self.server.get_clients()) == 1
        client.scene.set_background_image(image, depth=depth * BEHIND if alone else np.full_like(depth, 1e-3))
        if alone:
            self.cover(True)


def field_image(
    wanted: Wanted, looking: Any, height: int, unit: float
) -> tuple[UInt8[np.ndarray, "height width rgb=3"], Float[np.ndarray, "height width"]]:
    """The trained fields and their depth, in the page's units, from where a client looks."""
    focal = height / 2 / np.tan(looking.fov / 2)
    camera = Intrinsics.centred(float(focal), height, max(2, round(height * looking.aspect)))
    pose = looking_pose(looking, unit)
    method, size = wanted.method, (camera.height, camera.width)
    rays = view_rays(camera, pose, wanted.frame).to(method.device)
    scales = torch.from_numpy(wanted.scales).float().to(method.device)
    shown = render_chunks(method, rays, scales, RAYS_AT_ONCE)
    image = (255 * shown.colour.clamp(0, 1)).round().byte().cpu().numpy().reshape(*size, 3)
    return image, shown.depth.float().cpu().numpy().reshape(size) * unit


def looking_pose(looking: Any, unit: float) -> Float[np.ndarray, "4 4"]:
    """world_from_camera of a client, in the scene's units."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(np.asarray(looking.wxyz), scalar_first=True).as_matrix()
    pose[:3, 3] = np.asarray(looking.position) / unit
    return pose
