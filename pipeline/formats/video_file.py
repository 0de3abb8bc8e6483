"""Videos that every browser plays: H.264 in mp4, 4:2:0, even sizes, playable while still loading."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from pipeline.runtime.atomic import whole
from pipeline.runtime.errors import StageError


def write_video(
    path: Path, images: Iterable[UInt8[np.ndarray, "height width rgb=3"]], fps: float, quality: int = 20
) -> None:
    """Write frames as they come; `quality` is x264's rate factor, lower is better."""
    import av  # here: machines that only train decode no video

    with whole(path) as partial, av.open(str(partial), "w", options={"movflags": "faststart"}) as container:
        stream = None
        for image in images:
            even = even_size(image)
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
                stream.height, stream.width = even.shape[:2]
                stream.pix_fmt = "yuv420p"
                # With macroblock trees, x264 reads memory it never wrote where a size is no multiple of 16.
                params = {"preset": "medium", "threads": "2", "x264-params": "mbtree=0"}
                stream.options = {"crf": str(quality), **params}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        if stream is None:
            raise StageError(f"cannot write {path}: there is no frame to put into it")
        container.mux(stream.encode())


def even_size(image: UInt8[np.ndarray, "height width rgb=3"]) -> UInt8[np.ndarray, "even_height even_width rgb=3"]:
    """The image with an odd last row or column repeated: 4:2:0 halves both sizes."""
    height, width = image.shape[:2]
    return np.ascontiguousarray(np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def read_video(path: Path) -> Iterator[UInt8[np.ndarray, "height width rgb=3"]]:
    """The frames of a video that `write_video` wrote."""
    import av

    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                yield frame.to_ndarray(format="rgb24")
    except (OSError, av.FFmpegError) as error:
        raise StageError(f"{path} is not a readable video ({error}); delete it and run again") from error
