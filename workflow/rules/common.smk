"""Helper functions of the rules; rule files hold only rules."""

import atexit
import json
import os
import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from snakemake.exceptions import WorkflowError

from pipeline.config import BASELINES, METHODS
from pipeline.depth.model_choice import depth_model
from pipeline.runtime.config_file import (
    ESTIMATE,
    SIMULATE,
    baseline_settings,
    checked_config,
    preset_of,
    shared_options,
    stage_options,
    start_of,
)
from pipeline.runtime.dataset_key import dataset_key, promised
from pipeline.runtime.errors import StageError
from pipeline.runtime.owner_note import noted
from pipeline.runtime.sources import sources as own_sources
from pipeline.runtime.weights import weights_present
from pipeline.segmentation.text_model_choice import text_model
from workflow.interpreter import put_code_on_path, put_interpreter_on_path
from workflow.job_size import (
    Size,
    memory_mb,
    run_minutes,
    scene_size,
    training_minutes,
)
from workflow.results_folder import (
    RESULTS,
    check_writable,
    compared_runs,
    finished_trainings,
    stage_errors,
)
from workflow.run_lock import RUN, RUNS, still_working, why_locked

# Weights beside the results, else the workflow's own.
WEIGHTS = "weights" if Path("weights").is_dir() else own("weights")
# Built from containers/monoverse.def; used with `--sdm apptainer` only. Snakemake takes no path with spaces.
IMAGE = own("containers/monoverse.sif")
IMAGE = None if " " in IMAGE else IMAGE
PREPARING = (
    "extract_frames",
    "check_inputs",
    "estimate_flow",
    "segment_objects",
    "track_points",
    "reconstruct_objects",
    "refine_masks",
    "pack_scene",
)
STARTED = time.time()
THIS_RUN = ExitStack()  # its note, from its first job on
DATASET_FILES = {
    "masks": "masks",
    "poses": "transforms.json",
    "depth": "depth",
    "labels": "labels",
    "truth": "truth.h5",
}
NO_GPU = "MONOVERSE_NO_GPU"
REPORT_TEMPLATES = [
    str(path)
    for path in sorted(Path(own("pipeline/reporting")).rglob("*.*"))
    if path.suffix in (".html", ".js", ".css")
]
OF_BENCHMARK = "_of_benchmark"  # ends the names of rules that are usual ones in the folder of a run
TABLE_TEMPLATE = [own("pipeline/tabulation/template.html")]
# Methods whose objects have fields of their own, to be shown as splats.
WITH_OBJECTS = ["osn"]

put_interpreter_on_path()
put_code_on_path(PLACE)
try:
    check_writable()
    CONFIG = checked_config(config, [Path(file) for file in workflow.configfiles])
except StageError as error:
    raise WorkflowError(str(error)) from None


def gpus_of_a_job():
    """One, or none where `--resources gpu=0` says so: jobs on a cluster are not told of it, but by their environment."""
    limit = workflow.global_resources.get("gpu")
    if limit is not None:
        os.environ[NO_GPU] = "" if limit.value else "1"
    return 0 if os.environ.get(NO_GPU) else 1


GPU = gpus_of_a_job()
NAMES = [*CONFIG.scenes, *CONFIG.shared_semantics]
# Scenes whose inputs have never been found good: until they are, nothing that takes long begins.
UNCHECKED = [
    name for name in CONFIG.scenes if not Path(f"results/{name}/checked").exists()
]
RUN_FOLDERS = sorted(
    {
        f"benchmarks/{bench}/{scene}/{supervision}_{seed}"
        for bench, grid in CONFIG.benchmark.items()
        for scene, supervision, seed, _ in grid.runs()
    }
)


def explain_lock():
    """The last word of a run that Snakemake's lock has kept from starting; nothing where another lock, or none, is."""
    THIS_RUN.close()
    locks = workflow.persistence
    asked = workflow.execution_settings
    if locks is None or asked is None or not asked.lock or not locks.locked:
        return
    jobs = [
        number for job in workflow.dag.jobs for number in locks.external_jobids(job)
    ]
    print("", why_locked(NAMES, jobs, sys.argv[1:]), sep="\n", file=sys.stderr)


atexit.register(explain_lock)


def sources(module):
    """The files of ours that a stage is made of."""
    return [own(path) for path in own_sources(module)]


def known_scene(wildcards):
    """The name of the scene that a target is of, which must be among those of this run."""
    if wildcards.scene in CONFIG.scenes:
        return wildcards.scene
    raise WorkflowError(
        f"results/{wildcards.scene}: there is no scene {wildcards.scene} in this run, known are {', '.join(CONFIG.scenes)}; "
        "repeat --config video=..., or put the scene into config.yaml"
    )


def scene_of(wildcards):
    """The settings of that scene."""
    return CONFIG.scenes[known_scene(wildcards)]


def options(stage):
    """The settings of one stage for a scene, as JSON: its own section, and what the scene says in its place."""

    def of_scene(wildcards):
        return json.dumps(
            stage_options(CONFIG, stage, known_scene(wildcards)), sort_keys=True
        )

    return of_scene


def input_options(wildcards):
    """What segment_objects is told of masks and prompts, as JSON: nothing else of it makes a check stale."""
    told = stage_options(CONFIG, "segment_objects", known_scene(wildcards))
    return json.dumps({key: told[key] for key in ("key_frames", "prompts")})


def baseline_options(wildcards):
    """The settings of one baseline, as JSON: those of the others do not make it stale."""
    scene = known_scene(wildcards)
    told = baseline_settings(CONFIG, scene, wildcards.baseline)
    return json.dumps(told, sort_keys=True)


def run_folder(method, name):
    """A file of one run of a benchmark."""
    return f"results/benchmarks/{{bench}}/{{scene}}/{{supervision}}_{{seed}}/{method}/{name}"


def run_options(stage):
    """The settings of a training in a benchmark, as JSON: those of its scene, with the run's seed and supervision."""

    def of_run(wildcards):
        scene, told = known_scene(wildcards), {"seed": int(wildcards.seed)}
        told["depth_supervision"] = wildcards.supervision
        settings = (
            baseline_settings(CONFIG, scene, wildcards.baseline)
            if stage == "train_baseline"
            else stage_options(CONFIG, stage, scene)
        )
        return json.dumps({**settings, **told}, sort_keys=True)

    return of_run


def run_records(wildcards):
    """What the stages of one run of a benchmark noted of themselves."""
    names = [f"train_{wildcards.method}", f"render_views_{wildcards.method}"]
    return [
        run_folder(wildcards.method, f"records/{name}.json").format(**wildcards)
        for name in names
    ]


def benchmark_runs(name):
    """One file of every run of a benchmark; the runs' folders where the name is empty."""

    def of_benchmark(wildcards):
        return [
            run_folder(method, name)
            .format(
                bench=wildcards.bench, scene=scene, supervision=supervision, seed=seed
            )
            .rstrip("/")
            for scene, supervision, seed, method in known_benchmark(wildcards).runs()
        ]

    return of_benchmark


def known_benchmark(wildcards):
    """The benchmark that a target is of, which must be in config.yaml."""
    if wildcards.bench in CONFIG.benchmark:
        return CONFIG.benchmark[wildcards.bench]
    raise WorkflowError(
        f"results/benchmarks/{wildcards.bench}: there is no {wildcards.bench} under benchmark: in config.yaml"
    )


def benchmark_inputs(wildcards):
    """What was given for every scene of a benchmark, which must be checked."""
    return [f"results/{name}/inputs.json" for name in known_benchmark(wildcards).scenes]


def benchmark_truths(wildcards):
    """Truth of every scene of a benchmark, in their order."""
    paths = []
    for name in known_benchmark(wildcards).scenes:
        scene = CONFIG.scenes[name]
        own = "dataset/truth.h5" if scene.dataset else "truth.h5"
        paths.append(scene.truth or f"results/{name}/{own}")
    return paths


def video_path(wildcards):
    """The scene's video as the stage opens it: a file, a folder of images, the simulated one, or a data set's."""
    scene = scene_of(wildcards)
    if scene.dataset:
        return f"results/{wildcards.scene}/dataset/images"
    return (
        f"results/{wildcards.scene}/video.mp4"
        if scene.video == SIMULATE
        else scene.video
    )


def video_files(wildcards):
    """The files whose change makes the frames stale."""
    if scene_of(wildcards).dataset:
        return f"results/{wildcards.scene}/dataset"
    return files_under(video_path(wildcards))


def scene_path(key):
    """A path that the scene may name or its data set has (`masks`, `poses`, `truth`); empty where there is none."""

    def of_scene(wildcards):
        scene = scene_of(wildcards)
        if key in dataset_parts(wildcards):
            return f"results/{wildcards.scene}/dataset/{DATASET_FILES[key]}"
        if key == "truth" and scene.video == SIMULATE and not scene.truth:
            return f"results/{wildcards.scene}/truth.h5"
        if key == "depth" and scene.depth == ESTIMATE:
            return f"results/{wildcards.scene}/depth"
        return getattr(scene, key) or []

    return of_scene


def scene_files(key):
    """The files under such a path; of a data set, the folder that the importer writes."""

    def of_scene(wildcards):
        if key in dataset_parts(wildcards):
            return f"results/{wildcards.scene}/dataset"
        path = scene_path(key)(wildcards)
        if not path or path == f"results/{wildcards.scene}/depth":
            return path
        return files_under(path)

    return of_scene


def given_depth(of_scene):
    """What `scene_path` or `scene_files` say of depth maps that a person, or a data set, gives; nothing of estimated ones."""

    def of_given(wildcards):
        estimated = scene_of(wildcards).depth == ESTIMATE
        return [] if estimated else of_scene(wildcards)

    return of_given


def estimated_depth(wildcards):
    """The depth maps that a network estimates for a scene; nothing where a person gives them, or none."""
    estimated = scene_of(wildcards).depth == ESTIMATE
    return f"results/{wildcards.scene}/depth" if estimated else []


def text_network(wildcards):
    """The files of the network that a scene's prompts with text need; no job starts where there is none."""
    prompts = stage_options(CONFIG, "segment_objects", known_scene(wildcards))[
        "prompts"
    ]
    if scene_of(wildcards).masks or not any(prompt["text"] for prompt in prompts):
        return []
    try:
        return files_under(text_model(Path(WEIGHTS)))
    except StageError as error:
        raise WorkflowError(f"scenes.{wildcards.scene}: {error}") from None


def depth_network(wildcards):
    """The files of the depth network that a scene asks for; no job starts where there is none."""
    name = stage_options(CONFIG, "estimate_depth", known_scene(wildcards))["model"]
    try:
        return files_under(depth_model(Path(WEIGHTS), name))
    except StageError as error:
        raise WorkflowError(f"scenes.{wildcards.scene}: {error}") from None


def dataset_parts(wildcards):
    """What the importer will write for a scene beside its images; nothing where it has no data set."""
    scene = scene_of(wildcards)
    if not scene.dataset:
        return frozenset()
    seen = stage_options(CONFIG, "import_dataset", wildcards.scene)["use"]
    return promised(*dataset_key(scene.dataset)) & {*seen, "truth"}


def dataset_of(wildcards):
    """The data set of a scene, as LAYOUT:PATH."""
    return scene_of(wildcards).dataset


def dataset_files(wildcards):
    """The files of the data set of a scene."""
    dataset = scene_of(wildcards).dataset
    return (
        files_under(dataset_key(dataset)[1])
        if dataset
        else [f"scenes.{wildcards.scene} has no dataset: in config.yaml"]
    )


def files_under(path):
    """A file as it is, a folder as the files in it: an edited image is noticed."""
    if not Path(path).is_dir():
        return [path]
    return sorted(str(entry) for entry in Path(path).rglob("*") if entry.is_file())


def weights_files(wildcards):
    """Pretrained weights at hand; a new file may change which backend `auto` takes."""
    return sorted(
        str(path)
        for pattern in ("*.pt", "*.pth", "*/*.safetensors")
        for path in Path(WEIGHTS).glob(pattern)
    )


def encoder_files(wildcards):
    """Weights of the frames' encoder at hand."""
    return [
        str(Path(WEIGHTS, weight.file))
        for weight in weights_present(Path(WEIGHTS), "train_semantic_flow")
    ]


def start_checkpoint(wildcards):
    """The trained Semantic Flow that a scene starts from or is a part of; empty where there is none."""
    name = start_of(CONFIG, known_scene(wildcards))
    if name is None:
        return []
    if name in CONFIG.shared_semantics:
        return f"results/{name}/shared_semantics/checkpoint.pt"
    if name in CONFIG.scenes:
        return f"results/{name}/semantic_flow/checkpoint.pt"
    return name


def shared_scenes(wildcards):
    """The scenes that are trained as one model."""
    names = CONFIG.shared_semantics.get(wildcards.group, [])
    return [f"results/{name}/scene.h5" for name in names] or [
        f"there is no {wildcards.group} under shared_semantics in config.yaml"
    ]


def group_options(wildcards):
    """The settings of train_semantic_flow, as JSON, for several scenes."""
    return json.dumps(shared_options(CONFIG, wildcards.group), sort_keys=True)


def methods_of(scene):
    """The methods that a scene is trained by; of `auto`, what its geometry speaks for, once that is known."""
    if CONFIG.given_methods:
        return CONFIG.given_methods
    choice = checkpoints.choose_method.get(scene=scene).output.method
    return json.loads(Path(choice).read_text())["methods"]


def trained(pattern):
    """One file per method that a scene is trained by."""

    def of_scene(wildcards):
        return expand(pattern, method=methods_of(wildcards.scene), allow_missing=True)

    return of_scene


def method_choice(wildcards):
    """Which methods `auto` took and why; empty where a person chose."""
    return (
        f"results/{wildcards.scene}/method.json" if CONFIG.given_methods is None else []
    )


def with_objects(pattern):
    """One file per method that a scene is trained by and that has objects of its own."""

    def of_scene(wildcards):
        methods = [name for name in methods_of(wildcards.scene) if name in WITH_OBJECTS]
        return expand(pattern, method=methods, allow_missing=True)

    return of_scene


def with_dense_depth(pattern):
    """A file that an exported data set with a trained method's depth needs; empty where it has sparse depth."""

    def of_scene(wildcards):
        method = stage_options(CONFIG, "export_dataset", wildcards.scene)["dense_depth"]
        return (
            pattern.format(scene=wildcards.scene, method=method)
            if method is not None
            else []
        )

    return of_scene


def records_before_evaluation(wildcards):
    """What every stage up to the renders noted of itself, in the order of the graph."""
    scene = scene_of(wildcards)
    first = ["simulate_scene"] * (scene.video == SIMULATE)
    first += ["import_dataset"] * bool(scene.dataset)
    before = first + list(PREPARING)
    before += ["estimate_depth"] * (scene.depth == ESTIMATE)
    before += ["choose_method"] * (CONFIG.given_methods is None)
    stages = before + [
        f"{verb}_{method}"
        for method in methods_of(wildcards.scene)
        for verb in ("train", "render_views", "export_splats")
        if verb != "export_splats" or method in WITH_OBJECTS
    ]
    return [f"results/{wildcards.scene}/records/{stage}.json" for stage in stages]


def all_records(wildcards):
    """What every stage up to the metrics noted of itself."""
    return [
        *records_before_evaluation(wildcards),
        f"results/{wildcards.scene}/records/evaluate.json",
    ]


def memory(stage):
    """Memory that a job of a stage asks for, by the size of its scene; more with each attempt."""

    def of_job(wildcards, attempt):
        return memory_mb(stage, size_of(wildcards), attempt)

    return of_job


def run_time(stage):
    """Minutes that a job of a stage asks for, by the size of its scene and the steps of its training."""

    def of_job(wildcards, attempt):
        return run_minutes(
            stage, size_of(wildcards), attempt, minutes_of_steps(stage, wildcards)
        )

    return of_job


def size_of(wildcards):
    """The size of a job's scene, or of all scenes that are trained as one model."""
    if "group" not in wildcards.keys():
        return size_of_scene(known_scene(wildcards))
    sizes = [size_of_scene(name) for name in CONFIG.shared_semantics[wildcards.group]]
    return Size(
        sum(size.megapixels for size in sizes), max(size.objects for size in sizes)
    )


def size_of_scene(name):
    """A scene's size: what is known of it by now, else as its settings allow."""
    simulated = stage_options(CONFIG, "simulate_scene", name)
    frames = stage_options(CONFIG, "extract_frames", name)
    objects = stage_options(CONFIG, "segment_objects", name)["max_objects"] + 1
    if CONFIG.scenes[name].video == SIMULATE:
        pixels = simulated["frames"] * simulated["height"] * simulated["width"]
    else:
        pixels = frames["max_frames"] * frames["max_size"] ** 2
    return scene_size(RESULTS / name, Size(pixels / 1e6, objects))


def minutes_of_steps(stage, wildcards):
    """What the steps of a training may take; nothing for another stage."""
    if stage == "train_shared_semantics":
        options = shared_options(CONFIG, wildcards.group)
        scenes = len(CONFIG.shared_semantics[wildcards.group])
        return scenes * training_minutes("train_semantic_flow", options)
    if not stage.startswith("train_"):
        return 0
    if stage == "train_baseline":
        scene = known_scene(wildcards)
        return training_minutes(
            stage, baseline_settings(CONFIG, scene, wildcards.baseline)
        )
    return training_minutes(stage, stage_options(CONFIG, stage, known_scene(wildcards)))


def compared_folders(wildcards):
    """The runs that are compared."""
    return [str(path) for path in compared_runs(CONFIG.compare)]


def times_of_numbers(wildcards):
    """When their numbers were last written: newer ones make the comparison stale."""
    tables = [path / "metrics.csv" for path in compared_runs(CONFIG.compare)]
    return [table.stat().st_mtime_ns for table in tables if table.exists()]
