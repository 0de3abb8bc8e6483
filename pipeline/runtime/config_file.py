"""config.yaml and `--config` checked before the graph is built: every error names the key, the line and the way out."""

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.config import BASELINES, FIXED_SCENES, METHODS, Config, PresetName, SceneConfig
from pipeline.runtime.dataset_key import dataset_key, promised
from pipeline.runtime.errors import StageError
from pipeline.runtime.presets import with_preset
from pipeline.runtime.renamed_keys import new_key, new_value

SIMULATE = "simulate"
ESTIMATE = "estimate"
# Values of a scene that name what the graph makes, not a file.
MADE = {"video": SIMULATE, "depth": ESTIMATE}
BENCHMARKS = "benchmarks"  # the folder below results/ of what `benchmark:` asks for
PATHS_OF_SCENE = ("masks", "poses", "labels", "depth", "truth")
# What `--config` may say of one video without writing config.yaml; `name` is the scene's.
COMMAND_LINE_KEYS = (
    "video",
    "name",
    *(key for key in SceneConfig.model_fields if key not in ("video", "prompts", "edits", "preset")),
)
FORBIDDEN_IN_NAMES = set('/\\{}*?"\n')
# Unicode's control and direction marks, halves of surrogate pairs (bytes that are no UTF-8), line and paragraph separators.
INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
LONGEST_NAME = 200  # bytes; file systems hold 255, and what is made beside the folder has longer names


def checked_config(values: Mapping[str, Any], files: Sequence[Path]) -> Config:
    """The whole configuration, validated; `files` are the YAML files it came from, for line numbers."""
    # An emptied section (`estimate_flow:` and nothing below) means its defaults.
    values = {key: value for key, value in with_command_line_scene(values).items() if value is not None}
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise StageError("\n".join(explain(fault, files) for fault in error.errors())) from error
    for name, scene in config.scenes.items():
        check_scene(name, scene, files)
        check_scales(config, name, files)
        check_depth_supervision(config, name, files)
    check_shared(config, files)
    check_benchmarks(config, files)
    for name in config.scenes:
        check_start(config, name, files)
        check_dataset(config, name, files)
    return config


def check_scales(config: Config, name: str, files: Sequence[Path]) -> None:
    """Scales that are read from depth maps need some."""
    scene = config.scenes[name]
    if "osn" not in (config.given_methods or METHODS) or scene.depth or scene.dataset:
        return
    if stage_options(config, "train_osn", name)["ablation"]["scales"] == "depth":
        where = line_of(("train_osn", "ablation", "scales"), files)
        raise StageError(
            f"train_osn.ablation.scales{where}: depth needs depth maps; give scenes.{name} `depth: FOLDER`"
        )


def check_depth_supervision(config: Config, name: str, files: Sequence[Path]) -> None:
    """Supervision by depth maps needs some, whatever is trained."""
    scene = config.scenes[name]
    if scene.depth or scene.dataset:
        return
    methods = config.given_methods or ["osn", "semantic_flow"]
    for stage in dict.fromkeys("train_baseline" if one in BASELINES else f"train_{one}" for one in methods):
        if stage_options(config, stage, name)["depth_supervision"] == "maps":
            where = line_of((stage, "depth_supervision"), files)
            raise StageError(
                f"{stage}.depth_supervision{where}: maps needs depth maps; give scenes.{name} `depth: FOLDER`, or take sfm"
            )


def check_benchmarks(config: Config, files: Sequence[Path]) -> None:
    """Scenes of benchmarks are known, and have truth to be judged by and the depth maps that are asked for."""
    if config.benchmark and BENCHMARKS in config.scenes:
        raise StageError(f"scenes.{BENCHMARKS}: this is the folder of all benchmarks; give the scene another name")
    for name, grid in config.benchmark.items():
        where = line_of(("benchmark", name, "scenes"), files)
        check_name(name, where)
        for scene in grid.scenes:
            given = config.scenes.get(scene)
            if given is None:
                raise StageError(
                    f"benchmark.{name}.scenes{where}: there is no scene {scene}, known are {', '.join(config.scenes)}"
                )
            if not (given.truth or given.dataset or given.video == SIMULATE):
                raise StageError(
                    f"benchmark.{name}.scenes{where}: {scene} has no truth to be judged by; give it `truth:`"
                )
            if "maps" in grid.depth_supervision and not (given.depth or given.dataset):
                raise StageError(
                    f"benchmark.{name}.depth_supervision{where}: maps needs depth maps; give scenes.{scene} `depth: FOLDER`"
                )


def start_of(config: Config, name: str) -> str | None:
    """What a scene's Semantic Flow starts from: what it says, or the model that it is a part of."""
    shared = [group for group, scenes in config.shared_semantics.items() if name in scenes]
    return config.scenes[name].start_from or (shared[0] if shared else None)


def check_start(config: Config, name: str, files: Sequence[Path]) -> None:
    """What a scene starts from exists, and does not start from the scene itself."""
    where, seen, start = line_of(("scenes", name, "start_from"), files), [name], start_of(config, name)
    while start in config.scenes:
        if start in seen:
            raise StageError(f"scenes.{name}.start_from{where}: {' -> '.join([*seen, start])} goes in a circle")
        seen, start = [*seen, start], start_of(config, start)
    if start is None or start in config.shared_semantics or Path(start).exists():
        return
    known = [*config.shared_semantics, *(other for other in config.scenes if other != name)]
    raise StageError(
        f"scenes.{name}.start_from{where}: {start} is neither a scene, nor under shared_semantics, nor a checkpoint; "
        f"known are {', '.join(known) or 'none'}"
    )


def check_shared(config: Config, files: Sequence[Path]) -> None:
    """Scenes that are trained as one model exist, are in one such group, and start from nothing else."""
    taken: dict[str, str] = {}
    for group, scenes in config.shared_semantics.items():
        where = f"shared_semantics.{group}{line_of(('shared_semantics', group), files)}"
        if group in config.scenes:
            raise StageError(f"{where}: there is a scene of this name; give the group another")
        for name in scenes:
            if name not in config.scenes:
                raise StageError(f"{where}: there is no scene {name}; known are {', '.join(config.scenes)}")
            if name in taken:
                raise StageError(f"{where}: {name} is already in {taken[name]}; a scene can be in one group only")
            if config.scenes[name].start_from or config.scenes[name].labels:
                raise StageError(
                    f"{where}: {name} has labels or start_from; scenes of a group are trained on their masks"
                )
            if preset_of(config, name) != preset_of(config, scenes[0]):
                raise StageError(
                    f"{where}: {name} has preset {preset_of(config, name)} and {scenes[0]} has "
                    f"{preset_of(config, scenes[0])}; scenes of a group are trained with one: give them the same"
                )
            taken[name] = group


def stage_options(config: Config, stage: str, scene: str) -> dict[str, Any]:
    """The settings of one stage for a scene: its own section, and what the scene says in its place."""
    fixed = config.scenes[scene].simulation
    if stage == "simulate_scene" and fixed:
        return FIXED_SCENES[fixed].config.model_dump(mode="json")
    section = preset_options(config, stage, preset_of(config, scene))
    given = config.scenes[scene].model_dump(mode="json", exclude_defaults=True)
    if "size" in given and stage == "extract_frames":
        section["max_size"] = given["size"]
    return section | {key: given[key] for key in section if key in given}


def baseline_settings(config: Config, scene: str, baseline: str) -> dict[str, Any]:
    """The settings of train_baseline for one baseline of a scene: without those of the others."""
    told = stage_options(config, "train_baseline", scene)
    others = {name for name in BASELINES if name != baseline}
    return {**{key: value for key, value in told.items() if key not in others}, "method": baseline}


def preset_options(config: Config, stage: str, preset: PresetName) -> dict[str, Any]:
    """The settings of one stage: the preset's, and what a person set in their place."""
    section: BaseModel = getattr(config, stage)
    given = section.model_dump(mode="json", exclude_unset=True)
    return type(section).model_validate(with_preset(preset, stage, given)).model_dump(mode="json")


def preset_of(config: Config, scene: str) -> PresetName:
    """The scene's own preset, or that of all."""
    return config.scenes[scene].preset or config.preset


def shared_options(config: Config, group: str) -> dict[str, Any]:
    """The settings of Semantic Flow for scenes that are trained as one model; they have one preset."""
    scenes = config.shared_semantics.get(group)
    return preset_options(config, "train_semantic_flow", preset_of(config, scenes[0]) if scenes else config.preset)


def with_command_line_scene(values: Mapping[str, Any]) -> dict[str, Any]:
    """`--config video=clip.mp4 masks=...` replaces the scenes of config.yaml by one scene, named like the file."""
    values = dict(values)
    given = {key: values.pop(key) for key in COMMAND_LINE_KEYS if key in values}
    if not given:
        return values
    if "video" not in given and "dataset" not in given:
        raise StageError(
            f"--config {next(iter(given))}=... belongs to one video; add video=PATH, or edit scenes: in config.yaml"
        )
    check_quoted(given)
    source = Path(str(given.get("video") or str(given["dataset"]).partition(":")[2]))
    name = str(given.pop("name", "") or source.stem)
    paths = {key: str(value) for key, value in given.items() if key in ("video", "dataset", *PATHS_OF_SCENE)}
    return {**values, "scenes": {name: {**given, **paths}}}


def check_quoted(given: Mapping[str, Any]) -> None:
    """Paths of the command line that YAML reads as something else than text are refused: they would be other paths."""
    for key in ("video", "dataset", *PATHS_OF_SCENE):
        value = given.get(key)
        if value is None or isinstance(value, str):
            continue
        setting = next(iter(value.items()), ()) if isinstance(value, dict) else ()
        reads = "`: ` as a setting" if setting else f"this as {value}"
        raise StageError(
            f"--config {key}=...: YAML reads {reads}; write {quoted(key, ': '.join(map(str, setting)) or 'PATH')}"
        )


def quoted(key: str, path: str) -> str:
    """A path on the command line as YAML's text: Snakemake takes quotes at both ends off, but not behind spaces."""
    return f"--config '{key}= \"{path}\" ' (with these spaces and quotes)"


def check_name(name: str, where: str) -> None:
    """The name of a scene can be a folder's, and a person can see it."""
    way = "use letters, digits, spaces, '-', '_' and '.' (on the command line: name=NAME)"
    if not name.strip() or name != name.strip() or name.startswith((".", "-")) or FORBIDDEN_IN_NAMES & set(name):
        raise StageError(f"scenes.{name}{where}: a scene's name is its folder under results/; {way}")
    if hidden := [letter for letter in name if unicodedata.category(letter) in INVISIBLE]:
        raise StageError(f"scenes.{name!a}{where}: the name has an invisible character, {hidden[0]!a}; {way}")
    if len(name.encode()) > LONGEST_NAME:
        raise StageError(
            f"scenes.{name[:20]}...{where}: the name has {len(name.encode())} bytes, {LONGEST_NAME} are possible; {way}"
        )


def check_scene(name: str, scene: SceneConfig, files: Sequence[Path]) -> None:
    """The name can be a folder's, and the files that the scene names exist."""
    check_name(name, line_of(("scenes", name), files))
    if not scene.video and not scene.dataset:
        where = line_of(("scenes", name), files)
        raise StageError(f"scenes.{name}.video{where}: is missing; add video: PATH, or dataset: LAYOUT:PATH")
    for key in ("video", *PATHS_OF_SCENE):
        path = getattr(scene, key)
        if not path or path == MADE.get(key):
            continue
        where = line_of(("scenes", name, key), files)
        check_path(f"scenes.{name}.{key}{where}", path)
    if scene.start is not None and scene.end is not None and scene.end <= scene.start:
        where = line_of(("scenes", name, "end"), files)
        raise StageError(f"scenes.{name}.end{where}: {scene.end} is not after start={scene.start}; give a later second")


def check_path(what: str, path: str) -> None:
    """A path that Snakemake can take, of a file or folder that exists."""
    if set("{}") & set(path):
        raise StageError(
            f"{what}: {path} has braces, which Snakemake takes for wildcards; rename it, or give a "
            "link to it without braces (ln -s)"
        )
    if hidden := [letter for letter in path if unicodedata.category(letter) in ("Cc", "Cs")]:
        raise StageError(
            f"{what}: {path!a} has {hidden[0]!a}, a control character or one that is not UTF-8; rename it, or give a "
            "link to it (ln -s)"
        )
    try:
        there = Path(path).exists()
    except OSError as error:
        raise StageError(f"{what}: {path[:40]}... cannot be a path ({error.strerror}); correct it") from error
    if not there:
        raise StageError(f"{what}: {path} does not exist; {nearby(Path(path))}")


def check_dataset(config: Config, name: str, files: Sequence[Path]) -> None:
    """The data set of a scene exists, and nothing else that the scene names contradicts it."""
    scene = config.scenes[name]
    if scene.dataset is None:
        return
    where = line_of(("scenes", name, "dataset"), files)
    try:
        layout, folder = dataset_key(str(scene.dataset))
    except StageError as error:
        raise StageError(f"scenes.{name}.dataset{where}: {error}") from None
    if not folder.is_dir():
        raise StageError(f"scenes.{name}.dataset{where}: {folder} is not a folder; {nearby(folder)}")
    given = (promised(layout, folder) & {*config.import_dataset.use}) | {"video", "intrinsics", "truth"}
    for key in ("video", "intrinsics", *PATHS_OF_SCENE):
        if getattr(scene, key) and key in given:
            raise StageError(
                f"scenes.{name}.{key}{line_of(('scenes', name, key), files)}: the data set {scene.dataset} gives its own; "
                f"leave {key} out"
                + (f", or {key} out of import_dataset.use" if key in config.import_dataset.use else "")
            )


def nearby(path: Path) -> str:
    """A hint at files of a similar name."""
    folder = path.parent
    if not folder.exists():
        return f"there is no folder {folder} either; give the path from where snakemake runs"
    way = f"put the path into quotes, or write {quoted('video', f'{folder}/NAME')}"
    if any(entry.name.startswith(f"{path.name} #") for entry in folder.iterdir()):
        return f"a # after a space begins a comment in YAML: {way}"
    if any(entry.name.split() == path.name.split() for entry in folder.iterdir()):
        return f"the name of the file there has other spaces, which YAML leaves out: {way}"
    close = difflib.get_close_matches(path.name, [entry.name for entry in folder.iterdir()], n=3)
    return f"did you mean {' or '.join(str(folder / name) for name in close)}?" if close else "correct the path"


def explain(fault: Mapping[str, Any], files: Sequence[Path]) -> str:
    """One validation error as the key, its line, the value and what would be valid."""
    *above, last = fault["loc"] or ("settings",)
    named = fault["type"] == "extra_forbidden" or not is_union_branch(last)
    keys = (*(key for key in above if not is_union_branch(key)), *((last,) if named else ()))
    dotted = ".".join(map(str, keys))
    where = line_of(keys, files)
    if new := new_key(keys):
        return f"{dotted}{where}: is called {new} now"
    if choice := new_value(keys, fault["input"]):
        return f"{dotted}{where}: {fault['input']} is called {choice} now"
    if fault["type"] == "extra_forbidden":
        valid = valid_names(keys[:-1])
        close = difflib.get_close_matches(str(keys[-1]), valid, n=1, cutoff=0.4)
        hint = f"did you mean {close[0]}? " if close else ""
        return f"{dotted}{where}: there is no setting of this name; {hint}valid here: {', '.join(valid)}"
    if fault["type"] == "missing":
        return f"{dotted}{line_of(keys[:-1], files)}: is missing; add it"
    return f"{dotted}{where}: {fault['msg']}, got {shown(fault['input'])}"


def shown(value: Any) -> str:
    """A value in a message; Python does not write very long numbers."""
    try:
        return repr(value)
    except ValueError:
        return "a number of thousands of digits"


def is_union_branch(key: str | int) -> bool:
    """Pydantic puts the tried branch of a union into the location (`literal[...]`, `list[...]`)."""
    return isinstance(key, str) and re.fullmatch(r"[a-z-]+\[.*\]", key) is not None


def valid_names(keys: Sequence[str | int]) -> list[str]:
    """The settings that exist under a key path."""
    model: Any = Config
    for key in keys:
        model = member(model, key)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def member(model: Any, key: str | int) -> Any:
    """The type of one key's value: a model's field, or the element of a dict or list."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        field: FieldInfo | None = model.model_fields.get(str(key))
        return field.annotation if field else None
    inner = [argument for argument in get_args(model) if argument not in (str, type(None))]
    return inner[-1] if inner else None


def line_of(keys: Sequence[str | int], files: Sequence[Path]) -> str:
    """` (config.yaml, line 12)` for a key path, or nothing where no file has it (then it came from `--config`)."""
    for file in reversed(files):
        line = key_line(yaml.compose(file.read_text()), keys)
        if line is not None:
            return f" ({file.name}, line {line})"
    return ""


def key_line(node: yaml.Node | None, keys: Sequence[str | int]) -> int | None:
    """The line of a key path in a YAML document, counted from 1."""
    line = None
    for key in keys:
        entries: list[tuple[Any, yaml.Node, yaml.Node]] = []
        if isinstance(node, yaml.MappingNode):
            entries = [(name.value, name, value) for name, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            entries = [(index, value, value) for index, value in enumerate(node.value)]
        found = next(((name, value) for entry, name, value in entries if str(entry) == str(key)), None)
        if found is None:
            return None
        line, node = found[0].start_mark.line + 1, found[1]
    return line
