"""One click on each car of a dash camera's clip, against outlines drawn by hand: IoU in five frames.

    python -m benchmarks.clicks highway.mp4

highway.mp4 is a clip of udacity/CarND-LaneLines-P1 (solidWhiteRight.mp4, 960x540); it is segmented at half its size.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.flow import decoded
from pipeline.config import EstimateFlowConfig, Prompt, SegmentObjectsConfig
from pipeline.estimate_flow import estimate_flow
from pipeline.formats.frames_folder import frame_name, write_image
from pipeline.formats.masks_file import read_masks, read_objects
from pipeline.segment_objects import segment_objects

FRAMES, SIZE = 38, (270, 480)
CLICKS = {"sedan": (15.0, 172.0), "suv": (87.0, 159.0), "white": (214.0, 157.0)}  # in frame 0, at half size
# Per car and frame, x,y of the clip's own pixels, as SVG has them; "white" is 28 px wide there, the others 60 to 150.
OUTLINES = {
    "sedan": {
        0: "0,302 10,305 20,312 30,321 38,326 48,333 58,343 61,350 62,362 60,378 55,388 46,389 38,381 0,384",
        9: (
            "0,294 20,294 40,299 52,306 62,315 70,322 82,331 90,340 92,352 92,365 88,376 80,378 70,374 32,377 28,387 "
            "20,388 14,378 0,378"
        ),
        19: (
            "0,299 20,296 50,297 75,301 88,308 98,317 104,323 114,333 119,342 122,352 120,368 116,376 106,376 100,370 "
            "70,374 66,382 58,382 54,374 0,370"
        ),
        28: (
            "0,315 10,308 22,300 40,296 80,295 100,298 115,305 124,315 132,324 140,333 144,343 144,358 140,369 130,370 "
            "124,364 98,367 94,375 88,373 84,367 14,364 10,376 0,376"
        ),
        37: (
            "18,346 20,328 30,320 42,309 56,301 80,298 110,299 128,303 142,313 150,322 158,331 164,342 165,358 161,369 "
            "152,370 146,363 124,366 121,374 115,374 112,367 42,366 40,377 30,378 25,368 19,361"
        ),
    },
    "suv": {
        0: (
            "138,300 144,296 182,296 198,300 203,312 211,316 213,330 212,340 204,340 202,336 192,336 190,341 180,340 "
            "170,342 162,338 148,338 146,343 139,343 136,332 137,312"
        ),
        9: (
            "156,298 162,294 195,293 212,296 217,307 224,311 227,322 226,334 219,335 217,331 209,331 207,336 200,336 "
            "188,333 186,337 178,335 166,335 164,338 157,338 154,326 154,308"
        ),
        19: (
            "174,303 180,297 210,296 224,298 231,307 237,313 240,322 239,335 233,336 231,333 222,333 220,337 213,337 "
            "206,335 198,337 181,336 180,339 174,338 172,330 171,312"
        ),
        28: (
            "188,300 193,295 222,295 238,297 243,307 248,312 251,322 250,332 246,332 236,331 234,335 227,334 214,333 "
            "206,334 196,332 194,336 188,335 186,326 186,310"
        ),
        37: (
            "202,302 207,297 234,297 250,299 255,309 260,314 262,324 261,334 256,334 250,333 246,336 240,335 226,334 "
            "218,335 209,334 207,337 202,337 200,328 200,312"
        ),
    },
    "white": {
        0: "417,304 420,303 438,303 441,311 442,318 441,323 437,323 418,323 414,323 413,316 414,311",
        9: "420,301 424,300 438,300 442,304 444,311 444,319 440,319 418,319 416,316 416,310",
        19: "421,302 425,301 440,301 444,308 446,314 446,321 442,322 419,322 417,318 418,310",
        28: "422,302 427,301 441,301 444,309 446,314 445,322 441,322 420,322 418,317 419,310",
        37: "424,304 427,303 442,303 446,311 447,318 446,323 442,323 422,323 420,318 421,311",
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    ids, objects = segmented(parser.parse_args().clip)
    sure = {row["id"]: row["confidence"] for row in objects["objects"]}
    print(f"{'car':8} {'mean IoU':>9} {'confidence':>11}   IoU in frames {', '.join(map(str, OUTLINES['suv']))}")
    for k, (name, outlines) in enumerate(OUTLINES.items(), start=1):
        each = [iou(ids[t] == k, drawn(outline)) for t, outline in outlines.items()]
        print(f"{name:8} {np.mean(each):9.3f} {sure.get(k, 0):11.2f}   {' '.join(f'{value:.2f}' for value in each)}")


def segmented(clip: Path) -> tuple[np.ndarray, dict]:
    """The stage's masks and objects.json."""
    prompts = [Prompt(object=k, points=[point], name=name) for k, (name, point) in enumerate(CLICKS.items(), start=1)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for index, image in enumerate(decoded(clip)[:FRAMES]):
            small = cv2.resize(image, SIZE[::-1], interpolation=cv2.INTER_AREA)
            write_image(folder / "frames" / frame_name(index), small)
        flow, masks, objects = folder / "flow.h5", folder / "masks.h5", folder / "objects.json"
        estimate_flow(folder / "frames", None, flow, EstimateFlowConfig())
        config = SegmentObjectsConfig(prompts=prompts)
        segment_objects(folder / "frames", None, flow, None, None, masks, objects, config)
        return read_masks(masks), read_objects(objects)


def drawn(outline: str) -> np.ndarray:
    """The mask of an outline, at half size."""
    corners = np.array([[int(number) for number in point.split(",")] for point in outline.split()])
    mask = cv2.fillPoly(np.zeros((2 * SIZE[0], 2 * SIZE[1]), np.uint8), [corners], 1)
    return cv2.resize(mask.astype(np.float32), SIZE[::-1], interpolation=cv2.INTER_AREA) > 0.5


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union."""
    return float((first & second).sum() / max((first | second).sum(), 1))


if __name__ == "__main__":
    main()
