"""What a person can show, hide and change of a trained scene: its objects, or its classes where a method has those."""

from dataclasses import dataclass

from pipeline.rendering.trained_method import TrainedMethod


@dataclass(frozen=True)
class Part:
    """A column of a method's `object_weights`: its name, the id whose colour it has, and what an edit calls it."""

    column: int
    name: str
    identity: int
    request: str


def parts_of(method: TrainedMethod) -> list[Part]:
    """All parts, the background first; edits find objects by their ids, and classes by their names."""
    classes = method.classes
    if classes is None:
        entries = method.scene.objects
        return [Part(k, str(entry["name"]), int(entry["id"]), str(entry["id"])) for k, entry in enumerate(entries)]
    ids = zip(classes.names, method.object_ids, strict=True)
    return [Part(column, str(name), identity, str(name)) for column, (name, identity) in enumerate(ids)]
