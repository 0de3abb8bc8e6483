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
BROKEN = {
    GOOD + "train_osn:\n\tsteps: 3\n": "line 5.*not with tabs",
    GOOD + "train_osn: {steps: 3\n": "line .*open bracket",
    GOOD + "---\nmethod: osn\n": "line 4: a second document",
    GOOD + "method: *fast\n": "line 4.*needs quotes",
    GOOD + "method: osn\nmethod: semantic_flow\n": "method is given in line 4 and again in line 5",
    "scenes:\n  demo: {video: simulate}\n  demo: {video: a.mp4}\n": "demo is given in line 2 and again in line 3",
    "scenes: &all [*all]\n": "holds itself",
    "scenes: " + "[" * 40 + "]" * 40 + "\n": "nested too deeply",
    "scenes: " + "[" * 9000 + "]" * 9000 + "\n": "nested too deeply",
    GOOD + "{a: b}: c\n": "a key must be one word",
    GOOD + "method: osn\0\n": "line 4: a character",
}


@pytest.mark.parametrize("text", BROKEN, ids=BROKEN.values())
def test_a_fault_is_named_with_its_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(StageError, match=BROKEN[text]):
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
