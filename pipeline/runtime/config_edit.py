"""What a page has found is put into config.yaml: one value of a scene, without harm to the rest."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from pipeline.runtime.atomic import whole
from pipeline.runtime.config_file import checked_config
from pipeline.runtime.errors import StageError
from pipeline.runtime.yaml_edit import with_value


def save_text(path: Path, changed: Callable[[str], str]) -> None:
    """Change a configuration file; one that would not be valid afterwards stays as it is."""
    path = path.resolve()
    before = read_text(path)
    text = changed(before)
    try:
        check_text(text, path.name)
    except StageError:
        check_text(before, path.name)  # An old fault is told with the line where it is now.
        raise
    with whole(path) as partial:
        partial.write_bytes(text.encode())
        shutil.copymode(path, partial)


def check_text(text: str, name: str) -> None:
    """What the Snakefile would say of a configuration file with this text."""
    with TemporaryDirectory() as folder:
        candidate = Path(folder) / name
        candidate.write_bytes(text.encode())
        checked_config(parsed(text), [candidate])


def with_scene_value(text: str, scene: str, key: str, value: Any, video: str) -> str:
    """The text of config.yaml in which a scene has this value; a scene that is not there yet is of `video`."""
    values = parsed(text)
    scenes = values.get("scenes") or {}
    if not isinstance(scenes, dict) or not isinstance(scenes.get(scene, {}), dict):
        raise StageError(f"scenes.{scene} of the configuration has no settings; give it a `video:` first")
    if scene in scenes:
        after = with_value(text, ("scenes", scene, key), value)
    else:
        after = with_value(text, ("scenes", scene), {"video": video, key: value})
    settings = {**scenes.get(scene, {"video": video}), key: value}
    if not reads_as(after, {**values, "scenes": {**scenes, scene: settings}}):
        raise StageError(
            f"scenes.{scene} is written in a way that cannot be edited safely (an alias, perhaps); "
            "nothing was changed: copy the block into the file by hand"
        )
    return after


def reads_as(text: str, expected: Mapping[str, Any]) -> bool:
    """Whether a YAML text has these values."""
    try:
        return bool(yaml.safe_load(text) == expected)
    except Exception:  # not YAMLError alone: what int, float and datetime say of what is none comes as it is
        return False


def read_text(path: Path) -> str:
    """A configuration file with its line ends as they are."""
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise StageError(f"cannot read {path}: {error.strerror}; name your configuration with --config") from error
    except UnicodeDecodeError as error:
        raise StageError(f"{path} is not UTF-8 text ({error}); save it as UTF-8") from error


def parsed(text: str) -> dict[str, Any]:
    """The values of a configuration file."""
    try:
        values = yaml.safe_load(text)
    except Exception as error:  # as above
        raise StageError(f"the configuration is not valid YAML: {' '.join(str(error).split())}; correct it") from error
    if not isinstance(values, dict):
        raise StageError("the configuration holds no settings; start from the config.yaml that comes with the project")
    return values
