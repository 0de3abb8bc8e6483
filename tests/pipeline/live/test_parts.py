"""Parts are objects, or classes where a method has those."""

from pipeline.live.parts import parts_of
from pipeline.scene.method_interface import Classes
from tests.analytic_world import AnalyticMethod, analytic_method, analytic_scene, analytic_truth


class ClassMethod(AnalyticMethod):
    """Both balls are of one class."""

    @property
    def classes(self) -> Classes:
        return Classes(["ground", "balls"], [False, True], {0: 0, 7: 1, 5: 1}, True, [0])

    @property
    def object_ids(self) -> list[int]:
        return [0, 5]


def test_objects_are_asked_for_by_their_ids() -> None:
    method = analytic_method(analytic_scene(analytic_truth()))
    assert [(part.name, part.request, part.identity) for part in parts_of(method)][1] == ("sphere 1", "1", 1)


def test_classes_are_asked_for_by_their_names() -> None:
    method = analytic_method(analytic_scene(analytic_truth()))
    parts = parts_of(ClassMethod(method.scene, method.scales, method.scores))
    assert [(part.name, part.request, part.identity) for part in parts] == [
        ("ground", "ground", 0),
        ("balls", "balls", 5),
    ]
