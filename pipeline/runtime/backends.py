"""Backends picked by the name of their module: a package of them has one file for each (as hloc's extractors have)."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.runtime.errors import StageError
from pipeline.runtime.weights import Weight, declared_weights


@dataclass(frozen=True)
class Backend:
    """A backend that can run here, with the weights it would use; a backend that declares none needs none."""

    package: str
    name: str
    weight: Weight | None = None
    checkpoint: Path | None = None

    @property
    def module(self) -> Any:
        """Imported only now: a backend that is not taken costs no time, and its libraries need not be there."""
        return import_module(f"{self.package}.{self.name}")


def choose_backend(
    package: str, setting: str, wanted: str, auto: Sequence[str], folder: Path | None, file: str | None = None
) -> Backend:
    """The backend that is wanted, or the first of `auto` that can run; `file` asks for certain weights.

    `setting` is the key of config.yaml that said so.
    """
    names = auto if wanted == "auto" else [wanted]
    found = [backend for name in names for backend in runnable(package, name, folder)]
    if not found:
        raise StageError(
            f"{setting} is {wanted}, but {folder or 'weights/'} holds no {wanted.upper()} weights; "
            f"run `snakemake --cores 1 weights`, or choose auto or {auto[-1]}"
        )
    if file is None or not any(needs_weights(package, name) for name in names):
        return found[0]
    chosen = [backend for backend in found if backend.weight and backend.weight.file == file]
    if not chosen:
        raise StageError(
            f"{setting.split('.')[0]}.weights_file {file} is not in {folder or 'weights/'}; put it there, or leave it out"
        )
    return chosen[0]


def runnable(package: str, name: str, folder: Path | None) -> list[Backend]:
    """A backend with each of its weights at hand, best first; once, without any, if it needs none."""
    if not needs_weights(package, name):
        return [Backend(package, name)]
    declared = declared_weights(module_path(package, name)) if folder else []
    return [
        Backend(package, name, weight, folder / weight.file)
        for weight in declared
        if folder and (folder / weight.file).is_file()
    ]


def needs_weights(package: str, name: str) -> bool:
    """Whether a backend declares weights."""
    return bool(declared_weights(module_path(package, name)))


def module_path(package: str, name: str) -> Path:
    """The file of a backend."""
    spec = find_spec(f"{package}.{name}")
    if spec is None or spec.origin is None:
        raise StageError(f"there is no backend {name}: {package.replace('.', '/')}/{name}.py does not exist")
    return Path(spec.origin)
