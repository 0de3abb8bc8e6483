"""A value of a YAML text changes, and nothing else does."""

import pytest
import yaml

from pipeline.runtime.yaml_edit import with_value

TEXT = """\
# settings
scenes:            # which videos
  demo:
    video: simulate   # the demo
  # my_clip:
  #   video: x.mp4

  other:
    prompts:  # clicks
      # the car
      - {object: 1, frame: 0, points: [[1, 2]]}  # left wheel
      - object: 2
        frame: 3
    fps: 5

# what to train
method: osn
"""


def lines_lost(before: str, after: str) -> list[str]:
    return [line for line in before.splitlines() if line not in after.splitlines()]


def test_new_entry_comes_after_the_last_one_and_before_the_comments_behind_it() -> None:
    after = with_value(TEXT, ("scenes", "demo", "prompts"), [{"object": 1, "box": [1, 2, 3, 4.5]}])
    expected = TEXT.replace("# the demo\n", "# the demo\n    prompts:\n      - {object: 1, box: [1, 2, 3, 4.5]}\n")
    assert after == expected


def test_replaced_entry_keeps_its_comments_and_its_neighbours() -> None:
    after = with_value(TEXT, ("scenes", "other", "prompts"), [{"object": 7}])
    assert lines_lost(TEXT, after) == [
        "    prompts:  # clicks",
        "      # the car",
        "      - {object: 1, frame: 0, points: [[1, 2]]}  # left wheel",
        "      - object: 2",
        "        frame: 3",
    ]
    block = "    # clicks\n    # the car\n    # left wheel\n    prompts:\n      - {object: 7}\n    fps: 5\n"
    assert block in after
    assert with_value(after, ("scenes", "other", "prompts"), [{"object": 7}]) == after


def test_emptied_list_is_written_as_such() -> None:
    after = with_value(TEXT, ("scenes", "other", "prompts"), [])
    assert "    prompts: []\n    fps: 5\n" in after and yaml.safe_load(after)["scenes"]["other"]["prompts"] == []


@pytest.mark.parametrize(
    "text",
    [
        "scenes: {demo: {video: a.mp4}}  # one\nmethod: osn\n",
        "scenes:\n  demo: {video: a.mp4,\n    prompts: [{object: 3}], # mine\n    fps: 2}\n",
        "scenes:\n  demo:\n    video: a.mp4",
        "scenes:\n  demo:\n    video: >\n      a.mp4\n\n\nmethod: osn\n",
        "scenes:\r\n  demo:\r\n    video: a.mp4\r\n# end\r\nmethod: osn\r\n",
        "scenes:\n    demo:\n        video: a.mp4\n        prompts:\n        fps: 2\n",
        "scenes:\n  demo:\n    prompts:\n    - object: 1\n      points:\n      - [1, 2]\n    video: a.mp4\n",
        "scenes:\n  'demo':\n    video: 'größe # 1.mp4'\n",
        "scenes:\n  demo:\n    video: a.mp4\n    prompts:\n      - {object: 1}",
    ],
    ids=["braces", "braces-replaced", "no-newline", "folded", "crlf", "empty", "flush-list", "quoted", "at-the-end"],
)
def test_any_way_of_writing_reads_back_with_the_one_change(text: str) -> None:
    value = [{"object": 1, "name": "car: #1", "points": [[1.5, 2]]}]
    after = with_value(text, ("scenes", "demo", "prompts"), value)
    expected = yaml.safe_load(text)
    expected["scenes"]["demo"]["prompts"] = value
    assert yaml.safe_load(after) == expected
    assert after.count("#") == text.count("#") + 1 and ("\r\n" in text) == ("\r\n" in after)
    assert after.replace("\r\n", "").count("\r") == 0


@pytest.mark.parametrize("text", ["method: osn\n", "scenes:\nmethod: osn\n", "scenes: {}\nmethod: osn\n"])
def test_missing_parents_are_made(text: str) -> None:
    after = with_value(text, ("scenes", "my clip"), {"video": "a: b.mp4", "prompts": [{"object": 1}]})
    assert yaml.safe_load(after) == {
        "scenes": {"my clip": {"video": "a: b.mp4", "prompts": [{"object": 1}]}},
        "method": "osn",
    }
