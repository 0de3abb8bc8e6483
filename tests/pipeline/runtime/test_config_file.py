"""Errors of config.yaml name the key, the line and the way out."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.cli import parse_config

from pipeline.runtime.config_file import checked_config, quoted, start_of
from pipeline.runtime.errors import StageError

CLIP = {"video": "simulate"}
CONFIG = """\
scenes:
  balloon:
    video: {video}

estimate_flow:
  consistency_px: 1.5
train_osn:
  seed: 3
"""


def check(tmp_path: Path, text: str, **command_line: Any) -> Any:
    """What the Snakefile does with a config.yaml and `--config`."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return checked_config({**yaml.safe_load(text), **command_line}, [path])


@pytest.fixture
def good(tmp_path: Path) -> str:
    video = tmp_path / "my clip.mp4"
    video.write_bytes(b"x")
    return CONFIG.format(video=video)


def test_good_config_is_read(tmp_path: Path, good: str) -> None:
    config = check(tmp_path, good)
    assert config.estimate_flow.consistency_px == 1.5 and config.train_osn.seed == 3
    assert config.method == ["osn"]


def test_a_path_with_braces_or_an_unquoted_hash_is_explained(tmp_path: Path) -> None:
    for name in ("take {b}.mp4", "take #2.mp4"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(StageError, match=r"scenes\.balloon\.video \(config\.yaml, line 3\).*braces.*ln -s"):
        check(tmp_path, CONFIG.format(video=f'"{tmp_path}/take {{b}}.mp4"'))
    with pytest.raises(StageError, match=r"# after a space begins a comment in YAML: put the path into quotes"):
        check(tmp_path, CONFIG.format(video=f"{tmp_path}/take #2.mp4"))
    assert check(tmp_path, CONFIG.format(video=f'"{tmp_path}/take #2.mp4"')).scenes["balloon"].video.endswith("#2.mp4")


def test_emptied_section_means_its_defaults(tmp_path: Path, good: str) -> None:
    assert check(tmp_path, good + "track_points:\n").track_points.spacing_px > 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "consistency_px",
            "consistancy_px",
            r"estimate_flow\.consistancy_px \(config\.yaml, line 6\).*did you mean consistency_px\?",
        ),
        ("estimate_flow", "estimate_flo", r"estimate_flo \(config\.yaml, line 5\).*did you mean estimate_flow\?"),
        ("1.5", "Ture", r"estimate_flow\.consistency_px \(config\.yaml, line 6\).*number.*got 'Ture'"),
        ("seed: 3", "seed: -1", r"train_osn\.seed \(config\.yaml, line 8\).*greater than or equal to 0, got -1"),
        ("    video:", "    vidoe:", r"scenes\.balloon\.vidoe \(config\.yaml, line 3\).*did you mean video\?"),
        (
            "my clip.mp4",
            "my clop.mp4",
            r"scenes\.balloon\.video \(config\.yaml, line 3\).*does not exist; did you mean .*my clip\.mp4",
        ),
        ("balloon", "a*b", r"scenes\.a\*b \(config\.yaml, line 2\): a scene's name"),
    ],
)
def test_fault_is_named_with_its_line_and_the_way_out(tmp_path: Path, good: str, old: str, new: str, said: str) -> None:
    with pytest.raises(StageError, match=said):
        check(tmp_path, good.replace(old, new))


def test_end_before_start_is_refused(tmp_path: Path, good: str) -> None:
    with pytest.raises(StageError, match=r"scenes\.balloon\.end \(config.yaml, line 4\): 1\.0 is not after start=2\.0"):
        check(tmp_path, good.replace("\n\nest", "\n    end: 1.0\n    start: 2.0\nest"))


def test_all_faults_are_told_at_once(tmp_path: Path, good: str) -> None:
    with pytest.raises(StageError) as caught:
        check(tmp_path, good.replace("seed", "sed").replace("1.5", "x"))
    assert "train_osn.sed" in str(caught.value) and "consistency_px" in str(caught.value)


def test_missing_video_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"scenes\.a\.video \(config\.yaml, line 2\): is missing"):
        check(tmp_path, "scenes:\n  a:\n    fps: 3\n")


def test_command_line_video_replaces_the_scenes(tmp_path: Path, good: str) -> None:
    video = tmp_path / "my clip.mp4"
    config = check(tmp_path, good, video=str(video), fps=5)
    assert list(config.scenes) == ["my clip"] and config.scenes["my clip"].fps == 5
    assert list(check(tmp_path, good, video=str(video), name=7).scenes) == ["7"]


def test_command_line_fault_is_named_without_a_line(tmp_path: Path, good: str) -> None:
    with pytest.raises(StageError, match=r"scenes\.none\.video: none\.mp4 does not exist"):
        check(tmp_path, good, video="none.mp4")
    with pytest.raises(StageError, match="add video=PATH"):
        check(tmp_path, good, masks="folder")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scenes": {"a": {**CLIP, "start_from": "z"}}}, "scenes.a.start_from: z is neither a scene"),
        (
            {"scenes": {"a": {**CLIP, "start_from": "b"}, "b": {**CLIP, "start_from": "a"}}},
            "a -> b -> a goes in a circle",
        ),
        ({"scenes": {"a": CLIP, "b": CLIP}, "shared_semantics": {"g": ["a", "z"]}}, "there is no scene z"),
        ({"scenes": {"a": CLIP, "b": CLIP}, "shared_semantics": {"a": ["a", "b"]}}, "a scene of this name"),
        ({"scenes": {"a": CLIP, "b": CLIP}, "shared_semantics": {"g": ["a", "b"], "h": ["b", "a"]}}, "already in g"),
        (
            {"scenes": {"a": {**CLIP, "start_from": "c"}, "b": CLIP, "c": CLIP}, "shared_semantics": {"g": ["a", "b"]}},
            "trained on their masks",
        ),
    ],
)
def test_scenes_that_cannot_start_from_what_they_name_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(StageError, match=message):
        checked_config(values, [])


def test_a_scene_starts_from_what_it_names_or_from_the_model_that_it_is_a_part_of() -> None:
    scenes = {"a": CLIP, "b": CLIP, "c": {**CLIP, "start_from": "both"}, "d": {**CLIP, "start_from": "c"}, "e": CLIP}
    config = checked_config({"scenes": scenes, "shared_semantics": {"both": ["a", "b"]}}, [])
    assert [start_of(config, name) for name in scenes] == ["both", "both", "both", "c", None]


OSN_SCENE = """\
scenes:
  chess:
    dataset: osn:{folder}
{more}"""


@pytest.fixture
def osn(tmp_path: Path) -> Path:
    folder = tmp_path / "chess"
    (folder / "segm_sam").mkdir(parents=True)
    for name in ("transforms_train.json", "transforms_test.json", "segm_sam/0000.npy"):
        (folder / name).touch()
    return folder


def test_data_set_stands_in_the_place_of_a_video(tmp_path: Path, osn: Path) -> None:
    config = check(tmp_path, OSN_SCENE.format(folder=osn, more=""))
    assert config.scenes["chess"].dataset == f"osn:{osn}" and not config.scenes["chess"].video
    assert list(check(tmp_path, OSN_SCENE.format(folder=osn, more=""), dataset=f"osn:{osn}").scenes) == ["chess"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("    video: simulate\n", r"scenes\.chess\.video \(config\.yaml, line 4\): the data set .* gives its own"),
        ("    masks: {folder}\n", r"scenes\.chess\.masks.*leave masks out, or masks out of import_dataset\.use"),
        ("    poses: {folder}\n", r"scenes\.chess\.poses.*gives its own"),
        ("    truth: {folder}\n", r"scenes\.chess\.truth.*gives its own"),
        ("    intrinsics: [1, 1, 1, 1]\n", r"scenes\.chess\.intrinsics.*gives its own"),
    ],
)
def test_what_a_data_set_gives_cannot_be_given_twice(tmp_path: Path, osn: Path, more: str, said: str) -> None:
    with pytest.raises(StageError, match=said):
        check(tmp_path, OSN_SCENE.format(folder=osn, more=more.format(folder=osn)))


def test_masks_of_a_person_take_the_place_of_those_that_are_not_used(tmp_path: Path, osn: Path) -> None:
    text = OSN_SCENE.format(folder=osn, more=f"    masks: {osn}\nimport_dataset:\n  use: [poses]\n")
    assert check(tmp_path, text).scenes["chess"].masks == str(osn)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("onsen:here", r"scenes\.chess\.dataset \(config\.yaml, line 3\).*LAYOUT is one of osn"),
        ("osn:here", r"scenes\.chess\.dataset \(config\.yaml, line 3\): here is not a folder"),
    ],
)
def test_data_set_that_is_none_is_named(tmp_path: Path, key: str, said: str) -> None:
    with pytest.raises(StageError, match=said):
        check(tmp_path, f"scenes:\n  chess:\n    dataset: {key}\n")


NAMES = {
    " ": "folder under results/",
    "-clip": "name=NAME",
    "end ": "name=NAME",
    "rtl\u202egpj": r"invisible character, .*202e",
    "a\x07b": "invisible character",
    "x" * 250: "250 bytes, 200 are possible",
}


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_that_is_no_folder_is_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(StageError, match=NAMES[name]):
        checked_config({"video": "simulate", "name": name}, [])


@pytest.mark.parametrize("value", [{"kitchen": "take 2.mp4"}, 20230519142233, 1000.0, True])
def test_a_path_that_yaml_reads_as_something_else_is_to_be_quoted(value: Any) -> None:
    with pytest.raises(StageError, match=r"YAML reads.*write --config 'video= \".*\" '"):
        checked_config({"video": value}, [])


def test_paths_with_spaces_at_an_end_too_long_or_with_control_characters_are_explained(tmp_path: Path) -> None:
    for name in ("end.mp4 ", "a\x07.mp4"):
        (tmp_path / name).write_bytes(b"x")
    faults = {"end.mp4": "other spaces.*quotes", "a\x07.mp4": "control character.*ln -s", "x" * 300: "cannot be a path"}
    for name, said in faults.items():
        with pytest.raises(StageError, match=said):
            checked_config({"video": str(tmp_path / name), "name": "a"}, [])


@pytest.mark.parametrize("name", ["take #2.mp4", "kitchen: take 2.mp4", "20230519_142233", "1e3", "true"])
def test_the_way_to_write_such_paths_passes_through_snakemake(name: str) -> None:
    written = quoted("video", name).removeprefix("--config '").partition("' (")[0]
    assert parse_config([written]) == {"video": name}


@pytest.mark.parametrize("key", ["[", "ste[ps", "list[str]"])
def test_a_key_with_a_bracket_is_a_key_too(key: str) -> None:
    """Pydantic names branches of unions so."""
    with pytest.raises(StageError, match=r"there is no setting of this name"):
        checked_config({"scenes": {"demo": {"video": "simulate"}}, key: 1}, [])


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("benchmark: {b: {scenes: [ball], methods: [osn]}}", r"there is no scene ball, known are balloon"),
        (
            "benchmark: {b: {scenes: [balloon], methods: [osn]}}",
            r"balloon has no truth to be judged by; give it `truth:`",
        ),
        ("benchmark: {b: {scenes: [balloon], methods: [osn, osn]}}", r"benchmark\.b\.methods.*names something twice"),
        ("method: hexplane\ntrain_baseline: {depth_supervision: maps}", r"maps needs depth maps; give scenes\.balloon"),
        ("train_osn: {depth_supervision: maps}", r"train_osn\.depth_supervision.* maps needs depth maps"),
        (
            "benchmark: {b: {scenes: [balloon], methods: [hexplane], depth_supervision: [own]}}",
            r"hexplane has no .* its own",
        ),
        ("train_baseline: {hexplane: {grids: [8, 16]}}", r"need 1 rising parts"),
    ],
)
def test_baselines_and_benchmarks_that_cannot_run_stop_at_once(
    tmp_path: Path, good: str, said: str, wrong: str
) -> None:
    with pytest.raises(StageError, match=wrong):
        check(tmp_path, f"{good}{said}\n")
