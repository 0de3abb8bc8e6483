"""Prompts are checked against their frames, and reach config.yaml without harm to the rest of it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Prompt
from pipeline.picker.prompt_block import checked_prompts, prompts_block, save_prompts, with_prompts
from pipeline.runtime.config_file import checked_config
from pipeline.runtime.errors import StageError
from pipeline.runtime.sources import ROOT

CAR = Prompt(object=1, name="car", frame=2, points=[(10, 20.25), (3, 4)], labels=[1, 0])
BALL = Prompt(object=2, frame=0, box=(1, 2, 30, 40))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration as shipped, in a folder of its own."""
    path = tmp_path / "config.yaml"
    path.write_text((ROOT / "config.yaml").read_text())
    return path


def test_block_is_what_a_person_would_write() -> None:
    assert prompts_block([CAR, BALL]) == (
        "prompts:\n"
        "  - {object: 1, name: car, frame: 2, points: [[10, 20.2], [3, 4]], labels: [1, 0]}\n"
        "  - {object: 2, frame: 0, box: [1, 2, 30, 40]}"
    )


def test_block_of_nothing_is_an_empty_list() -> None:
    assert yaml.safe_load(prompts_block([])) == {"prompts": []}


def test_saved_prompts_are_read_by_the_graph_and_every_comment_survives(config: Path) -> None:
    before = config.read_text()
    save_prompts(config, "demo", "simulate", [CAR, BALL])
    after = config.read_text()
    read = checked_config(yaml.safe_load(after), [config]).scenes["demo"].prompts
    assert [p.object for p in read] == [1, 2] and read[0].labels == [1, 0] and read[1].box == (1, 2, 30, 40)
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert len(added) == 3 and not [line for line in before.splitlines() if line not in after.splitlines()]


def test_saving_twice_replaces(config: Path) -> None:
    save_prompts(config, "demo", "simulate", [CAR, BALL])
    save_prompts(config, "demo", "simulate", [BALL])
    assert yaml.safe_load(config.read_text())["scenes"]["demo"]["prompts"] == [
        {"object": 2, "frame": 0, "box": [1, 2, 30, 40]}
    ]


def test_texts_that_the_page_does_not_show_stay(config: Path) -> None:
    save_prompts(config, "demo", "simulate", [CAR])
    config.write_text(config.read_text().replace("  - {object: 1", "  - {text: red car}\n      - {object: 1", 1))
    save_prompts(config, "demo", "simulate", [BALL])
    assert yaml.safe_load(config.read_text())["scenes"]["demo"]["prompts"] == [
        {"text": "red car"},
        {"object": 2, "frame": 0, "box": [1, 2, 30, 40]},
    ]


def test_scene_that_is_not_there_yet_is_added(config: Path, tmp_path: Path) -> None:
    clip = tmp_path / "a clip: 'x'.mp4"
    clip.write_bytes(b"x")
    save_prompts(config, "a clip", str(clip), [BALL])
    scenes = checked_config(yaml.safe_load(config.read_text()), [config]).scenes
    assert list(scenes) == ["demo", "a clip"] and scenes["a clip"].video == str(clip) and scenes["a clip"].prompts


def test_file_that_would_not_be_valid_stays_as_it_is(config: Path) -> None:
    broken = config.read_text().replace("train_osn:\n", "train_osn:\n  sed: 3\n")
    config.write_text(broken)
    with pytest.raises(StageError, match=r"train_osn\.sed \(config\.yaml, line \d+\)"):
        save_prompts(config, "demo", "simulate", [CAR])
    assert config.read_text() == broken and list(config.parent.iterdir()) == [config]


def test_link_and_permissions_survive(config: Path, tmp_path: Path) -> None:
    config.chmod(0o600)
    link = tmp_path / "link.yaml"
    link.symlink_to(config)
    save_prompts(link, "demo", "simulate", [CAR])
    assert link.is_symlink() and config.stat().st_mode & 0o777 == 0o600 and "name: car" in config.read_text()


def test_scene_that_shares_its_settings_by_an_alias_is_refused() -> None:
    text = "scenes:\n  a: &base\n    video: simulate\n  b: *base\n"
    with pytest.raises(StageError, match="copy the block into the file by hand"):
        with_prompts(text, "b", "simulate", [CAR])


@pytest.mark.parametrize("text", ["scenes: [", "- 1", "scenes:\n  a:\n", "scenes: 3\n"])
def test_file_that_is_no_configuration_is_named_as_such(text: str) -> None:
    with pytest.raises(StageError, match="configuration"):
        with_prompts(text, "a", "simulate", [CAR])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([{"object": 1, "frame": 5, "points": [[1, 2]]}], "there are 5 frames, 0 to 4"),
        ([{"object": 1, "points": [[1, 2]], "labels": [1, 0]}], "1 points have 2 labels"),
        ([{"object": 1, "points": [[1, 2]], "labels": [0]}], "click on it at least once"),
        ([{"object": 1}], "neither points nor a box"),
        ([{"object": 1, "points": [[101, 2]]}], r"\(101, 2\) is outside the frame of 100x50"),
        ([{"object": 1, "points": [[float("nan"), 2]]}], "should be a finite number"),
        ([{"object": 1, "box": [5, 5, 5, 9]}], "is empty"),
        ([{"object": 0, "points": [[1, 2]]}], "neither an object .* nor a text"),
        ([{"text": "dog"}], "by a text of the scene's prompts in config.yaml, not on this page"),
        ([{"object": 1, "points": [[1, 2]], "name": "x" * 81}], "at most 80 letters"),
        ([{"object": 1, "points": [[1, 2]], "name": "a\u202eb"}], "unseen characters"),
        ([{"object": 1, "points": [[1, 2]] * 101}], "101 points are too many"),
        ([{"object": 1, "point": [[1, 2]]}], "Extra inputs"),
        ([{"object": 1, "points": [[1, 2]]}, {"object": 1, "box": [1, 1, 2, 2]}], "two entries for frame 0"),
        ({"object": 1}, "valid list"),
    ],
)
def test_prompt_that_makes_no_sense_is_refused_with_the_way_out(values: object, said: str) -> None:
    with pytest.raises(StageError, match=said):
        checked_prompts(values, frames=5, height=50, width=100)


def test_prompts_come_sorted_by_object_and_frame() -> None:
    values = [{"object": o, "frame": f, "box": [0, 0, 9, 9]} for o, f in [(2, 0), (1, 3), (1, 0)]]
    assert [(p.object, p.frame) for p in checked_prompts(values, 5, 50, 100)] == [(1, 0), (1, 3), (2, 0)]


NUMBERS = st.floats(0, 100, allow_nan=False).map(lambda x: round(x, 1))


@given(
    st.lists(
        st.builds(
            Prompt,
            object=st.integers(1, 254),
            frame=st.integers(0, 99),
            points=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=3),
            name=st.none() | st.text(min_size=1, max_size=8),
        ),
        max_size=4,
    )
)
def test_any_prompts_come_back_from_the_file_as_they_were(prompts: list[Prompt]) -> None:
    text = with_prompts("scenes:\n  a:\n    video: simulate\n  # end\nmethod: osn\n", "a", "simulate", prompts)
    read = [Prompt.model_validate(values) for values in yaml.safe_load(text)["scenes"]["a"]["prompts"]]
    assert read == prompts and "\n  # end\nmethod: osn\n" in text
