import json
import struct
import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.cameras import Intrinsics, directions_at_unit_depth, pixel_centres
from pipeline.config import ExtractFramesConfig
from pipeline.extract_frames import choose_intervals, extract_frames
from pipeline.formats.frames_folder import read_frame, read_frames, read_frames_info, write_image
from pipeline.formats.lens import make_lens
from pipeline.runtime.errors import StageError
from tests.pipeline.footage.moving import panned


def pictures(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Smooth noise that moves, of one hue as video halves the size of colour; a red corner shows how it is turned."""
    noise = np.random.default_rng(0).uniform(0.2, 1, (height // 4 + 2, width // 4 + 2 + count))
    images = []
    for n in range(count):
        grey = cv2.resize(noise[:, n : n + width // 4 + 2], (width, height))
        image = (grey[..., None] * np.array([190, 240, 220])).astype(np.uint8)
        image[: height // 4, : width // 4] = (255, 0, 0)
        images.append(image)
    return images


def write_clip(
    path: Path,
    images: list[np.ndarray],
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times: list[int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """A video at 10 frames a second, or with a time stamp (in tenths of a second) for each frame."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, 10)
        if codec == "libx264":
            stream.options = {"crf": "10", "g": "4", "bf": "0"}
        for n, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgba" if image.shape[2] == 4 else "rgb24")
            frame.pts, frame.time_base = (times[n] if times else n), Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def extract(video: Path, **config) -> tuple[np.ndarray, dict]:
    frames, info = video.parent / "out" / "frames", video.parent / "out" / "frames.json"
    extract_frames(video, None, frames, info, ExtractFramesConfig(**config))
    return read_frames(frames), json.loads(info.read_text())


def fault(video: Path, **config) -> str:
    with pytest.raises(StageError) as caught:
        extract(video, **config)
    assert not (video.parent / "out" / "frames").exists()
    assert not list(video.parent.glob("out/*partial*"))
    return str(caught.value)


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def test_all_frames_come_in_order_with_their_times(tmp_path):
    images = pictures(8)
    frames, info = extract(write_clip(tmp_path / "clip.mp4", images))
    assert frames.shape == (8, 48, 64, 3)
    assert mean_difference(frames, np.stack(images)) < 6
    assert [row["source_index"] for row in info["frames"]] == list(range(8))
    np.testing.assert_allclose([row["time_s"] for row in info["frames"]], np.arange(8) / 10, atol=1e-4)
    assert info["focal_px"] is None and not info["dropped"] and not info["source"]["variable_frame_rate"]


def test_larger_frames_are_reduced_by_area_and_smaller_ones_kept(tmp_path):
    images = pictures(3, 96, 128)
    frames, info = extract(write_clip(tmp_path / "clip.mp4", images), max_size=64)
    expected = np.stack([cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA) for image in images])
    assert frames.shape == (3, 48, 64, 3)
    assert mean_difference(frames, expected) < 4
    assert (info["height"], info["width"]) == (48, 64)
    assert (info["source"]["height"], info["source"]["width"]) == (96, 128)


def test_odd_sizes_are_kept(tmp_path):
    images = [image[:47, :63] for image in pictures(3)]
    frames, _ = extract(write_clip(tmp_path / "clip.mkv", images, "ffv1", "yuv444p"))
    assert frames.shape == (3, 47, 63, 3)


@pytest.mark.parametrize(
    ("codec", "pixel_format"), [("libx264", "yuv420p10le"), ("ffv1", "gray"), ("ffv1", "yuv422p10le")]
)
def test_ten_bit_and_grey_videos_become_eight_bit_rgb(tmp_path, codec, pixel_format):
    images = pictures(3)
    frames, _ = extract(write_clip(tmp_path / "clip.mkv", images, codec, pixel_format))
    wanted = np.stack(images)
    if pixel_format == "gray":
        assert (frames[..., 0] == frames[..., 2]).all()
        wanted = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images])[..., None].repeat(3, -1)
    assert mean_difference(frames, wanted) < 8


def test_transparent_video_is_laid_on_black(tmp_path):
    images = [np.concatenate([image, np.full((48, 64, 1), 255, np.uint8)], -1) for image in pictures(3)]
    for image in images:
        image[:, 32:, 3] = 0
    frames, _ = extract(write_clip(tmp_path / "clip.mkv", images, "ffv1", "bgra"))
    np.testing.assert_array_equal(frames[:, :, 32:], 0)
    np.testing.assert_array_equal(frames[:, :, :32], np.stack(images)[:, :, :32, :3])


def test_rotation_in_the_metadata_is_applied(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", pictures(3))
    content = bytearray(clip.read_bytes())
    # The matrix of the track header, 40 bytes after its name: a quarter turn clockwise.
    place = content.index(b"tkhd") + 4 + 40
    assert struct.unpack(">i", content[place : place + 4])[0] == 0x10000
    struct.pack_into(">9i", content, place, 0, 0x10000, 0, -0x10000, 0, 0, 48 << 16, 0, 0x40000000)
    clip.write_bytes(content)
    frames, info = extract(clip)
    assert frames.shape == (3, 64, 48, 3)
    assert (info["height"], info["width"]) == (64, 48)
    red = frames[0, 2:12, 38:46].reshape(-1, 3).mean(0)
    assert red[0] > 180 and red[1] < 60  # upper left has become upper right


def test_variable_frame_rate_keeps_the_true_times_and_drops_repeats(tmp_path):
    images = pictures(4)
    repeated = [images[0], images[1], images[1], images[2], images[3]]
    clip = write_clip(tmp_path / "clip.mkv", repeated, "ffv1", "yuv444p", times=[0, 1, 2, 7, 8])
    frames, info = extract(clip)
    assert len(frames) == 4
    np.testing.assert_allclose([row["time_s"] for row in info["frames"]], [0, 0.1, 0.7, 0.8], atol=1e-3)
    assert info["dropped"] == [{"source_index": 2, "time_s": 0.2, "reason": "repeats the frame before"}]
    assert info["source"]["variable_frame_rate"]


def test_video_in_which_nothing_changes_keeps_its_frames(tmp_path):
    frames, info = extract(write_clip(tmp_path / "clip.mkv", pictures(1) * 5, "ffv1", "yuv444p"))
    assert len(frames) == 5 and not info["dropped"]


def test_sharpest_frame_of_each_interval_is_taken(tmp_path):
    images = pictures(9)
    for n, image in enumerate(images):
        if n not in (1, 3, 8):
            images[n] = cv2.GaussianBlur(image, (0, 0), 3)
    frames, info = extract(write_clip(tmp_path / "clip.mp4", images), max_frames=3)
    assert [row["source_index"] for row in info["frames"]] == [1, 3, 8]
    assert info["dropped_counts"] == {"a sharper frame of its interval was taken": 6}
    assert mean_difference(frames[1], images[3]) < 6


def test_frame_rate_start_and_end_choose_frames(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", pictures(30))
    _, info = extract(clip, start=1.0, end=2.0, fps=5)
    indices = [row["source_index"] for row in info["frames"]]
    assert len(indices) == 5
    assert all(index // 2 == 5 + n for n, index in enumerate(indices))
    assert "no frame from 9 s to the end" in fault(make_copy(clip, tmp_path / "b"), start=9.0)


def make_copy(clip: Path, folder: Path) -> Path:
    folder.mkdir()
    (folder / clip.name).write_bytes(clip.read_bytes())
    return folder / clip.name


def test_intervals_are_even_when_there_are_too_many_frames():
    intervals = choose_intervals(np.arange(250) / 25, ExtractFramesConfig(max_frames=100))
    counts = np.bincount(intervals)
    assert len(counts) == 100 and set(counts) == {2, 3}
    assert (np.diff(intervals) >= 0).all()


def test_cut_off_video_gives_what_decodes_with_a_warning(tmp_path, caplog):
    clip = write_clip(tmp_path / "clip.mp4", pictures(20, 96, 128), options={"movflags": "faststart"})
    content = clip.read_bytes()
    clip.write_bytes(content[: int(0.6 * len(content))])
    frames, _ = extract(clip)
    assert 4 <= len(frames) < 20
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("clip.mp4" in text for text in warnings)
    assert mean_difference(frames, np.stack(pictures(20, 96, 128))[: len(frames)]) < 6


def test_video_cut_before_its_index_is_refused(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", pictures(20, 96, 128))
    clip.write_bytes(clip.read_bytes()[:4000])
    message = fault(clip)
    assert "clip.mp4" in message and "copy or download it again" in message


@pytest.mark.parametrize(
    ("name", "content"), [("empty.mp4", b""), ("notes.txt", b"hello\n" * 50), ("clip.mp4", bytes(range(256)) * 20)]
)
def test_what_is_not_a_video_is_refused_by_name(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert name in fault(tmp_path / name)


def test_missing_file_is_refused(tmp_path):
    assert "does not exist" in fault(tmp_path / "clip.mp4")


def test_one_frame_is_not_a_video(tmp_path):
    assert "gives one frame" in fault(write_clip(tmp_path / "clip.mp4", pictures(1)))
    Image.fromarray(pictures(1)[0]).save(tmp_path / "single.png")
    assert "single.png" in fault(tmp_path / "single.png")


def test_sound_alone_is_not_a_video(tmp_path):
    with av.open(str(tmp_path / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "no video stream" in fault(tmp_path / "sound.wav")


def write_folder(folder: Path, images: list[np.ndarray], suffix: str = ".png") -> Path:
    folder.mkdir(parents=True)
    for n, image in enumerate(images):
        order = image[..., ::-1] if image.ndim == 3 and image.shape[2] == 3 else image
        cv2.imwrite(str(folder / f"shot{n + 8}{suffix}"), order)
    return folder


def test_folder_of_images_is_read_in_the_order_of_its_numbers(tmp_path):
    images = pictures(4)  # shot8, shot9, shot10, shot11
    frames, info = extract(write_folder(tmp_path / "shots", images))
    np.testing.assert_array_equal(frames, np.stack(images))
    assert info["source"]["kind"] == "images"


def test_deep_grey_and_transparent_images_are_read(tmp_path):
    images = pictures(2)
    deep = [(image.astype(np.uint16) * 257) for image in images]
    frames, _ = extract(write_folder(tmp_path / "deep" / "shots", deep))
    np.testing.assert_array_equal(frames, np.stack(images))
    grey = [image[..., 1] for image in images]
    frames, _ = extract(write_folder(tmp_path / "grey" / "shots", grey))
    np.testing.assert_array_equal(frames[..., 0], np.stack(grey))
    half = [np.concatenate([image[..., ::-1], np.full((48, 64, 1), 51, np.uint8)], -1) for image in images]
    frames, _ = extract(write_folder(tmp_path / "alpha" / "shots", half))
    np.testing.assert_array_equal(frames, np.stack(images) // 5)


def test_images_of_two_sizes_are_refused_by_name(tmp_path):
    images = pictures(3)
    images[2] = images[2][:40]
    message = fault(write_folder(tmp_path / "shots", images))
    assert "shot8.png is 64x48" in message and "shot10.png is 64x40" in message


def test_damaged_image_is_left_out_with_a_warning(tmp_path, caplog):
    folder = write_folder(tmp_path / "shots", pictures(4))
    (folder / "shot9.png").write_bytes(b"not an image")
    frames, info = extract(folder)
    assert len(frames) == 3 and "(shot9.png)" in caplog.text
    assert info["source"]["names"][info["dropped"][0]["source_index"]] == "shot9.png"
    assert any("shot9.png" in record.getMessage() for record in caplog.records)


def test_folder_without_images_is_refused(tmp_path):
    (tmp_path / "shots").mkdir()
    assert "holds no images" in fault(tmp_path / "shots")


def test_focal_length_comes_from_exif_and_follows_the_reduction(tmp_path):
    folder = tmp_path / "shots"
    folder.mkdir()
    for n, image in enumerate(pictures(2, 96, 128)):
        picture = Image.fromarray(image)
        exif = picture.getexif()
        exif.get_ifd(0x8769)[0xA405] = 35
        picture.save(folder / f"{n}.jpg", exif=exif)
    _, info = extract(folder, max_size=64)
    # A 35 mm lens on 36 x 24 mm film, whose diagonal is 43.27 mm; the reduced image's diagonal is 80 px.
    assert info["focal_px"] == pytest.approx(35 * 80 / 43.27, rel=1e-3)


def test_memory_does_not_grow_with_the_length_of_the_video(tmp_path):
    peaks = []
    for count in (60, 110):
        folder = tmp_path / str(count)
        folder.mkdir()
        clip = write_clip(folder / "clip.mp4", pictures(count, 144, 192))
        tracemalloc.start()
        extract(clip)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # The folder is read back for the answer (read_frames), and only that may grow.
    assert peaks[1] - peaks[0] < 2.5 * 50 * 144 * 192 * 3


def test_team_clips_are_read(shared_data, tmp_path):
    frames, info = tmp_path / "frames", tmp_path / "frames.json"
    extract_frames(
        shared_data / "clips" / "apple.mp4", None, frames, info, ExtractFramesConfig(max_frames=10, max_size=160)
    )
    assert read_frames(frames).shape == (10, 89, 160, 3)


def test_the_longest_shot_is_taken_and_another_on_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shots = [np.stack([one] * 3, -1) for one in (*panned(0, 8), *panned(1, 12))]
    clip = write_clip(tmp_path / "clip.mp4", shots)
    _, info = extract(clip)
    assert [row["source_index"] for row in info["frames"]] == list(range(8, 20))
    assert info["shot"] == 2 and [shot["first"] for shot in info["shots"]] == [0, 8]
    assert any("is cut at frame 8 (0.80 s); shot 2 is taken" in record.getMessage() for record in caplog.records)
    _, info = extract(clip, shot=1)
    assert [row["source_index"] for row in info["frames"]] == list(range(8))
    assert info["dropped_counts"] == {"of another shot": 12}
    message = fault(make_copy(clip, tmp_path / "b"), shot=3)
    assert "has no shot 3" in message and "2: 0.80 to 1.90 s (frames 8 to 19)" in message


def test_bars_are_left_out_and_the_lens_follows(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pictures = [cv2.copyMakeBorder(one, 24, 24, 0, 0, cv2.BORDER_CONSTANT) for one in panned(0, 8, 2.0, 112, 192)]
    clip = write_clip(tmp_path / "clip.mkv", [np.stack([one] * 3, -1) for one in pictures], "ffv1", "yuv444p")
    frames, info = extract(clip)
    top, left, height, width = info["crop"]
    assert 24 <= top <= 26 and left == 0 and 108 <= height <= 112 and frames.shape[1:3] == (height, width)
    assert (info["source"]["height"], info["source"]["width"]) == (160, 192) and frames.min() > 10
    assert any("clip.mkv has bars, 25 px at the top" in record.getMessage() for record in caplog.records)
    frames, info = extract(clip, crop_borders=False)
    assert frames.shape[1:3] == (160, 192) and "crop" not in info


def test_the_lens_of_given_poses_is_undistorted(tmp_path: Path) -> None:
    """A picture whose colours are directions, seen through a radial lens, shows the pinhole's directions afterwards."""
    lens = make_lens("RADIAL", [140.0, 80.0, 60.0, -0.2, 0.04], 160, 120, "here")
    xy = pixel_centres(120, 160).reshape(-1, 2)
    directions = np.array(lens.colmap.cam_from_img(xy)).reshape(120, 160, -1)[..., :2]
    coded = np.dstack([127 + 150 * directions, np.zeros((120, 160, 1))]).round().astype(np.uint8)
    for t in range(2):
        write_image(tmp_path / "clip" / f"{t}.png", np.roll(coded, t, axis=2))
    frames = [{"file_path": f"{t}.png", "transform_matrix": np.eye(4).tolist()} for t in range(2)]
    named = {"fl_x": 140.0, "cx": 80.0, "cy": 60.0, "k1": -0.2, "k2": 0.04, "w": 160, "h": 120}
    (tmp_path / "transforms.json").write_text(json.dumps({**named, "frames": frames}))
    paths = (tmp_path / "clip", tmp_path / "transforms.json", tmp_path / "frames", tmp_path / "frames.json")
    extract_frames(*paths, ExtractFramesConfig())
    info = read_frames_info(tmp_path / "frames.json")
    camera = Intrinsics.from_values(np.array(info["camera"]), 120, 160)
    assert info["lens"]["model"] == "OPENCV" and info["source"]["names"] == ["0.png", "1.png"]
    expected = 127 + 150 * directions_at_unit_depth(camera, pixel_centres(120, 160))[..., :2]
    shown = read_frame(tmp_path / "frames" / "000000.png")[..., :2]
    assert np.abs(shown[4:-4, 4:-4] - expected[4:-4, 4:-4]).max() < 1.5


def test_a_pinhole_among_given_poses_changes_nothing(tmp_path: Path) -> None:
    for t in range(2):
        write_image(tmp_path / "clip" / f"{t}.png", np.full((120, 160, 3), np.arange(160)[:, None] + t, np.uint8))
    frames = [{"file_path": f"{t}.png", "transform_matrix": np.eye(4).tolist()} for t in range(2)]
    (tmp_path / "transforms.json").write_text(json.dumps({"fl_x": 140.0, "w": 160, "h": 120, "frames": frames}))
    paths = (tmp_path / "clip", tmp_path / "transforms.json", tmp_path / "frames", tmp_path / "frames.json")
    extract_frames(*paths, ExtractFramesConfig())
    assert "camera" not in read_frames_info(tmp_path / "frames.json")


def test_black_frames_at_the_ends_are_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    black = [np.zeros((48, 64, 3), np.uint8)] * 3
    frames, info = extract(write_clip(tmp_path / "clip.mp4", [*black, *pictures(8), *black]))
    assert [row["source_index"] for row in info["frames"]] == list(range(3, 11)) and len(frames) == 8
    assert "6 frame(s) of clip.mp4: black" in caplog.text


def test_a_header_that_promises_more_than_there_is_raises_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", pictures(20, 96, 128))
    extract(clip)
    assert "cut off" not in caplog.text
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    extract(clip)
    assert "clip.mkv lasts 2.00 s by its header" in caplog.text
