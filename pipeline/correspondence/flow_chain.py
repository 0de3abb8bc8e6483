"""All flow of a video in memory, and flow between frames further apart, by following it from frame to frame."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float

from pipeline.correspondence.flow_warping import warp
from pipeline.formats.flow_file import FlowPair, read_flow_attributes, read_flow_pairs
from pipeline.runtime.errors import StageError


@dataclass(frozen=True)
class FlowChain:
    """Flow between neighbours; half precision, because a long video's flow is large."""

    forward: Float[np.ndarray, "pair height width xy=2"]
    backward: Float[np.ndarray, "pair height width xy=2"]
    forward_valid: Bool[np.ndarray, "pair height width"]
    backward_valid: Bool[np.ndarray, "pair height width"]

    @classmethod
    def of_pairs(cls, pairs: Iterable[FlowPair]) -> "FlowChain":
        """From flow pair by pair."""
        parts = [
            (p.forward.astype(np.float16), p.backward.astype(np.float16), p.forward_valid, p.backward_valid)
            for p in pairs
        ]
        return cls(*(np.stack(column) for column in zip(*parts, strict=True)))

    @property
    def frame_count(self) -> int:
        return len(self.forward) + 1

    def step(
        self, frame: int, direction: int
    ) -> tuple[Float[np.ndarray, "height width xy=2"], Bool[np.ndarray, "height width"]]:
        """Flow from a frame to the next (direction 1) or to the one before (-1)."""
        if direction > 0:
            return self.forward[frame].astype(np.float32), self.forward_valid[frame]
        return self.backward[frame - 1].astype(np.float32), self.backward_valid[frame - 1]

    def walk(
        self, frame: int, direction: int, reach: int
    ) -> Iterator[tuple[Float[np.ndarray, "height width xy=2"], Bool[np.ndarray, "height width"]]]:
        """Flow from a frame to the ones 1, 2, ..., `reach` away; valid where every step on the way is."""
        if reach < 1:
            return
        flow, valid = self.step(frame, direction)
        yield flow, valid
        for here in range(frame + direction, frame + direction * reach, direction):
            step, step_valid = self.step(here, direction)
            valid = valid & (warp(step_valid.astype(np.uint8), flow, nearest=True) > 0)
            flow = flow + warp(step, flow)
            yield flow, valid

    def reduced(self, longer_side: int) -> "FlowChain":
        """The same flow for frames whose longer side is at most this."""
        height, width = self.forward.shape[1:3]
        scale = longer_side / max(height, width)
        if scale >= 1 or not len(self.forward):
            return self
        size = round(width * scale), round(height * scale)
        flows = [
            np.stack([cv2.resize(f.astype(np.float32), size, interpolation=cv2.INTER_AREA) * scale for f in flow])
            for flow in (self.forward, self.backward)
        ]
        valid = [
            np.stack([cv2.resize(v.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0 for v in mask])
            for mask in (self.forward_valid, self.backward_valid)
        ]
        return FlowChain(flows[0].astype(np.float16), flows[1].astype(np.float16), valid[0], valid[1])


def read_flow_chain(path: Path, shape: tuple[int, int, int]) -> FlowChain:
    """All pairs of a flow file, which must fit (frames, height, width)."""
    count = int(read_flow_attributes(path)["pairs"])
    flows = [np.zeros((count, *shape[1:], 2), np.float16) for _ in "fb"]
    valid = [np.zeros((count, *shape[1:]), bool) for _ in "fb"]
    for index, pair in enumerate(read_flow_pairs(path)):
        if count != shape[0] - 1 or pair.forward.shape[:2] != shape[1:]:
            raise StageError(
                f"{path} has {count} pairs of {pair.forward.shape[:2]}, "
                f"the {shape[0]} frames of {shape[1:]} need {shape[0] - 1}; run estimate_flow again"
            )
        flows[0][index], flows[1][index] = pair.forward, pair.backward
        valid[0][index], valid[1][index] = pair.forward_valid, pair.backward_valid
    return FlowChain(flows[0], flows[1], valid[0], valid[1])


def warped_from(
    values: np.ndarray, chain: FlowChain, frame: int, direction: int
) -> tuple[np.ndarray, Bool[np.ndarray, "height width"]]:
    """Values of the neighbour in `direction` brought to `frame`, and where they can be trusted."""
    flow, valid = chain.step(frame, direction)
    return warp(values, flow), valid


@dataclass(frozen=True)
class Step:
    """Flow from one frame to another, `stride` frames away."""

    target: int
    stride: int
    flow: Float[np.ndarray, "height width xy=2"]
    valid: Bool[np.ndarray, "height width"]


def steps_from(chain: FlowChain, frame: int, strides: Collection[int]) -> list[Step]:
    """The flow from a frame to those at the strides, both ways, as far as the video goes."""
    steps = []
    for direction in (1, -1):
        reach = min(max(strides), chain.frame_count - 1 - frame if direction > 0 else frame)
        for stride, (flow, valid) in enumerate(chain.walk(frame, direction, reach), start=1):
            if stride in strides:
                steps.append(Step(frame + direction * stride, stride, flow, valid))
    return steps
