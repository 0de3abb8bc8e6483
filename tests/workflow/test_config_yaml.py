"""Faults of YAML are named with their line; no mutation of settings ends in anything but a config or a sentence."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.runtime.config_file import checked_config
from pipeline.runtime.errors import StageError
from workflow.config_yaml import check_yaml

GOOD = "scenes:\n  demo:\n    video: simulate\n"
BOMB = "a: &a [1]\n" + "".join(f"{b}: &{b} [{f'*{a},' * 9}]\n" for a, b in zip("abcdef", "bcdefg", strict=True))
BROKEN = {
    GOOD + "train_osn:\n\tsteps: 3\n": "line 5.*not with tabs",
    GOOD + "train_osn: {steps: 3\n": "line .*open bracket",
    GOOD + "---\nmethod: osn\n": "line 4: a second document",
    GOOD + "method: *fast\n": "line 4.*needs quotes",
    GOOD + "method: osn\nmethod: semantic_flow\n": "method is given in line 4 and again in line 5",
    "scenes:\n  demo: {video: simulate}\n  demo: {video: a.mp4}\n": "demo is given in line 2 and again in line 3",
    "scenes: &all [*all]\n": "holds itself",
    "scenes: " + "[" * 40 + "]" * 40 + "\n": "nested too deeply",
    "scenes: " + "[" * 600 + "]" * 600 + "\n": "nested too deeply",
    GOOD + "{a: b}: c\n": "a key must be one word",
    GOOD + "method: osn\0\n": "line 4: a character",
    GOOD + "train_osn: !* {steps: 3}\n": r"line 4: !\* is a tag",
    GOOD + "!name method: osn\n": "line 4: !name is a tag",
    GOOD + "method: !!python/object/apply:os.system [ls]\n": "line 4: !!python.*is a tag",
    GOOD + "method: !!set {osn}\n": "line 4: !!set is a tag",
    GOOD + "method: !!map osn\n": "line 4: !!map is a tag",
    GOOD + "method: =\n": "line 4: a single =",
    GOOD + "method: !!int osn\n": "line 4: osn looks like a number",
    GOOD + "method: 0x_\n": "line 4: 0x_ looks like a number",
    GOOD + f"method: {'9' * 5000}\n": "line 4: 9.* looks like a number",
    GOOD + f"method: 0x{'f' * 5000}\n": "line 4: 0xf.* looks like a number",
    GOOD + f"method: 1{':59' * 3000}.5\n": "line 4: 1.* looks like a number",
    GOOD + "method: !!bool osn\n": "line 4: osn looks like a yes or no",
    GOOD + "method: 2024-13-45\n": "line 4: 2024-13-45 looks like a date",
    GOOD + "method: 2024-01-01 10:10:10 +99:99\n": "line 4: 2024.* looks like a date",
    GOOD + "train_osn:\n  <<: 3\n": "line 5: << takes in settings",
    GOOD + "train_osn:\n  <<: [{steps: 3}, 4]\n": "line 5: << takes in settings",
    GOOD + 'method: "\\ud800"\n': "line 4: .*surrogate",
    'scenes:\n  "\\ud800": {video: simulate}\n': "line 2: .*surrogate",
    GOOD + 'method: "\\UFFFFFFFF"\n': "line 4: the number here",
    f"%YAML {'9' * 5000}.1\n---\n{GOOD}": "line 1: the number here",
    "- scenes\n": "line 1: no setting begins here",
    "# settings\n3\n": "line 2: no setting begins here",
    BOMB: "make more than",
}
FINE = (
    "",
    "# nothing\n",
    "~\n",
    GOOD + "method: ! osn\n",
    GOOD + "train_osn: &a {steps: 3}\ntrain_semantic_flow:\n  <<: *a\n",
)


@pytest.mark.parametrize("text", BROKEN, ids=BROKEN.values())
def test_a_fault_is_named_with_its_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(StageError, match=BROKEN[text]):
        check_yaml(tmp_path / "config.yaml")


@pytest.mark.parametrize("text", FINE)
def test_what_yaml_allows_passes(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    check_yaml(tmp_path / "config.yaml")


@pytest.mark.parametrize("content", ["métier".encode("latin-1"), GOOD.encode("utf-16")])
def test_another_encoding_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(content)
    with pytest.raises(StageError, match="UTF-8"):
        check_yaml(tmp_path / "config.yaml")


def test_the_shipped_file_passes() -> None:
    check_yaml(Path(__file__).parents[2] / "config.yaml")


SLIPS = {
    "train_osn": [
        ({"steps": True}, "steps.*yes or no"),
        ({"steps": 10**30}, "steps.*between"),
        ({"grid_lr": float("inf")}, "grid_lr.*between"),
        ({"grid_lr": float("nan")}, "grid_lr"),
        ({"grids": [64, 32]}, "grids.*finer than the one before"),
        ({"ablation": {"scales": "depth"}}, "depth needs depth maps"),
    ],
    "scenes": [
        ({"demo": {"video": 123_456}}, "video.*put it into quotes"),
        ({"demo": {"video": 20230519_142233}}, "video.*put it into quotes"),
        ({"demo": {"video": "simulate", "prompts": [{"object": 1}]}}, "neither points nor a box"),
    ],
}


@pytest.mark.parametrize(("section", "values", "said"), [(s, v, w) for s, many in SLIPS.items() for v, w in many])
def test_a_slip_is_refused(section: str, values: dict[str, Any], said: str) -> None:
    given_settings = {"scenes": {"demo": {"video": "simulate"}}, section: values}
    with pytest.raises(StageError, match=said):
        checked_config(given_settings, [])


def test_a_number_that_python_does_not_write_is_refused() -> None:
    with pytest.raises(StageError, match="got a number of thousands of digits"):
        checked_config({"scenes": {"demo": {"video": "simulate"}}, "method": 10**5000}, [])


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from([10**30, -1, 1e300, "", " ", "simulate", "../x", "a" * 300, "\u202ename", "{scene}"])
)  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner))
SHIPPED: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
PLACES = [(section,) for section in SHIPPED] + [
    ("scenes", "demo"), ("scenes", "demo", "video"), ("scenes", "demo", "prompts"), ("scenes", "demo", "size"),
    ("scenes", ""), ("train_osn", "steps"), ("train_osn", "grids"), ("train_semantic_flow", "rays"),
    ("extract_frames", "max_size"), ("segment_objects", "max_objects"), ("render_views", "path_frames"), ("method",),
]  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), value=values)
def test_any_value_anywhere_is_a_config_or_a_sentence(place: tuple[str, ...], value: Any) -> None:
    config: dict[str, Any] = {"scenes": {"demo": {"video": "simulate"}}}
    inner = config
    for key in place[:-1]:
        inner = inner.setdefault(key, {})
    inner[place[-1]] = value
    try:
        checked_config(config, [])
    except StageError as error:
        assert str(error)
