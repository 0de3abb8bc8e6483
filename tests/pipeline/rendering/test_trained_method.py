"""The list of methods, what a checkpoint must hold, and that nothing but rendering/ and training asks which method it is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import config
from pipeline.config import Edit
from pipeline.formats.scene_file import Scene
from pipeline.rendering.trained_method import METHODS, TrainedMethod, load_method
from pipeline.runtime.errors import StageError
from pipeline.runtime.sources import ROOT, imported_modules
from tests.analytic_world import analytic_scene, analytic_truth
from tests.pipeline.flat_method import FlatMethod

STAGES = ("render_views", "evaluate", "report", "export_objects")
SEEING_METHODS = sorted(
    [
        *(ROOT / f"pipeline/{stage}.py" for stage in STAGES),
        *(path for package in ("evaluation", "reporting") for path in (ROOT / "pipeline" / package).glob("*.py")),
    ]
)
METHOD_PACKAGES = tuple(f"{layer}.{method}" for layer in ("pipeline", "models") for method in config.METHODS)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return analytic_scene(analytic_truth())


@pytest.fixture
def flat(scene: Scene) -> FlatMethod:
    return FlatMethod(scene, torch.ones(1, scene.object_count), torch.ones(1))


def test_every_method_of_the_settings_is_listed() -> None:
    assert set(METHODS) == set(config.METHODS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"method": "osn", "schema_version": 99}, "has schema osn 99, expected 4"),
        ({"method": "magic"}, "holds method magic, known are osn, semantic_flow"),
        ({"method": "osn", "schema_version": 4, "fields": {}}, "is damaged"),
        ([1, 2], "holds method list"),
    ],
)
def test_checkpoint_of_another_kind_is_refused(scene: Scene, tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(StageError, match=message):
        load_method(tmp_path / "checkpoint.pt", scene, CPU)


def test_torn_or_missing_checkpoint_is_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="does not exist"):
        load_method(tmp_path / "checkpoint.pt", scene, CPU)
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(StageError, match="cannot be read"):
        load_method(tmp_path / "checkpoint.pt", scene, CPU)


def test_a_method_that_only_renders_answers_every_question(flat: FlatMethod) -> None:
    scales = torch.tensor([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    assert flat.object_ids == [0, 1, 2] and flat.device == CPU
    assert flat.unoccluded().tolist() == [True] and flat.validity(scales).tolist() == [1.0, 1.0]
    assert flat.explain_scales(scales[0], scales[1]) == ""
    assert (flat.remarks, flat.classes, flat.scale_limits(), flat.fixed_scales(None)) == ({}, None, [], {})


def test_what_a_method_cannot_do_is_refused_with_the_way_out(flat: FlatMethod) -> None:
    with pytest.raises(StageError, match=r"render_views\.edits: this method cannot be edited; remove the edits"):
        flat.edited([Edit(object="1", action="remove")], np.ones(3))
    with pytest.raises(StageError, match="without objects of their own has no surfaces; export those of osn"):
        flat.surface(1)
    with pytest.raises(StageError, match="labels cannot judge a method without classes; leave it out"):
        flat.label_map_classes(Path("labels"))


@pytest.mark.parametrize("path", SEEING_METHODS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_comes_after_training_imports_no_method(path: Path) -> None:
    assert method_imports(path) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "pipeline").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_nobody_asks_a_method_what_it_is(path: Path) -> None:
    assert path.parent.name == "rendering" or list(questions_of_kind(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    "line",
    [
        "from pipeline.osn.method import OsnMethod",
        "import models.semantic_flow.model",
        "from models.osn import validity",
        "from pipeline import osn",
    ],
)
def test_a_forbidden_import_is_seen(tmp_path: Path, line: str) -> None:
    (tmp_path / "module.py").write_text(f"def late():\n    {line}\n")
    assert method_imports(tmp_path / "module.py")


@pytest.mark.parametrize(
    "line",
    [
        "isinstance(one, OsnMethod)",
        "isinstance(one, (int, osn.OsnMethod))",
        "getattr(method, 'facts', None)",
        "hasattr(self.method, 'views')",
        "type(method)",
        "getattr(load_method(a, b), 'facts')",
    ],
)
def test_a_question_of_kind_is_seen(line: str) -> None:
    assert list(questions_of_kind(ast.parse(line)))
    assert not list(questions_of_kind(ast.parse("isinstance(value, int) and getattr(one, name)")))


def method_imports(path: Path) -> list[str]:
    """The packages of methods that a file imports, at its top or in a function."""
    return [name for name in imported_modules(path) if name.startswith(METHOD_PACKAGES)]


def questions_of_kind(tree: ast.AST) -> Iterator[str]:
    """Calls that ask a method for its class, or for an attribute that only some methods have."""
    methods = {one.__name__ for one in subclasses(TrainedMethod)} | {TrainedMethod.__name__}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            subject, kinds = ast.unparse(node.args[0]), {ast.unparse(n).split(".")[-1] for n in ast.walk(node)}
            of_method = subject.split("(")[0].split(".")[-1] in ("method", "load_method")
            asks = node.func.id in ("getattr", "hasattr", "type", "isinstance") and of_method
            if asks or (node.func.id == "isinstance" and kinds & methods):
                yield ast.unparse(node)


def subclasses(kind: type) -> Iterator[type]:
    for one in kind.__subclasses__():
        yield one
        yield from subclasses(one)
