"""tests/ mirrors the sources, file for file; what has no test file of its own is named here with the reason."""

from pathlib import Path

from pipeline.runtime.sources import ROOT

LIVE = "tests/pipeline/live/test_page.py"
TOOLS = "tests/pipeline/formats/test_tool_results.py"
SETTINGS = "tests/pipeline/test_config.py, by way of pipeline/config.py"
LOOPS = "compiled loops: held against tensor code by the tests of what calls them"
OPERATORS = (
    "tests/models/ops/test_operators.py holds every kernel against its reference, and gradients against differences"
)
SPLATS = "tests/pipeline/test_export_splats.py"
KILLED = "tests/pipeline/test_train_*.py train, kill and resume it"
EXPORTED = "tests/pipeline/test_export_dataset.py reads what it writes"
METHOD = "tests of render_views, evaluate and export_objects go through it"
LAYOUT = "tests/pipeline/datasets/layouts/ read every layout through it"
RIGS = "tests/pipeline/datasets/test_multiview.py"
TABLE = "tests/pipeline/test_tabulate_benchmark.py"
WITHOUT = {
    "models/ops/blend/cpu.py": OPERATORS,
    "models/ops/blend/cuda.py": OPERATORS,
    "models/ops/blend/reference.py": OPERATORS,
    "models/ops/composite/cpu.py": OPERATORS,
    "models/ops/composite/cuda.py": OPERATORS,
    "models/ops/contract_points/cpu.py": OPERATORS,
    "models/ops/contract_points/cuda.py": OPERATORS,
    "models/ops/contract_points/reference.py": OPERATORS,
    "models/ops/fine_edges/cuda.py": OPERATORS,
    "models/ops/fine_edges/reference.py": OPERATORS,
    "models/ops/interpolate_vm/cpu.py": OPERATORS,
    "models/ops/interpolate_vm/cuda.py": OPERATORS,
    "models/ops/interpolate_vm/reference.py": OPERATORS,
    "models/ops/interpolate_volume/cpu.py": OPERATORS,
    "models/ops/interpolate_volume/cuda.py": OPERATORS,
    "models/ops/interpolate_volume/reference.py": OPERATORS,
    "models/ops/march/cpu.py": OPERATORS,
    "models/ops/march/cuda.py": OPERATORS,
    "models/ops/places.py": OPERATORS,
    "models/ops/region_planes/cuda.py": OPERATORS,
    "models/ops/region_planes/reference.py": OPERATORS,
    "models/ops/region_volume/cuda.py": OPERATORS,
    "models/ops/region_volume/reference.py": OPERATORS,
    "models/ops/seen_features/cpu.py": OPERATORS,
    "models/ops/seen_features/cuda.py": OPERATORS,
    "models/ops/seen_features/reference.py": "tests/models/semantic_flow/test_flow_features.py",
    "pipeline/tabulation/page.py": TABLE,
    "pipeline/tabulation/runs.py": TABLE,
    "pipeline/tabulation/summary.py": TABLE,
    "models/baselines/field.py": "tests/models/baselines/test_hexplane.py and test_tineuvox.py",
    "models/baselines/scene_flow_field.py": "tests/models/baselines/test_scene_flow_grids.py and test_scene_flow_networks.py",
    "models/baselines/gradients.py": KILLED,
    "models/ops/space_planes.py": "tests/models/ops/test_table_reads.py and tests/models/semantic_flow/test_planes.py",
    "models/ops/space_time.py": LOOPS,
    "models/ops/space_time_planes.py": "tests/models/ops/test_table_reads.py holds its two ways against each other",
    "models/osn/alone.py": SPLATS,
    "models/osn/compositing.py": "a class without code",
    "models/osn/loops.py": LOOPS,
    "models/osn/pose_kernels.py": LOOPS,
    "models/semantic_flow/batch.py": "classes without code",
    "models/semantic_flow/kernels.py": LOOPS,
    "models/splats/kernels.py": LOOPS,
    "models/osn/layers.py": "tests/pipeline/osn/test_edits.py",
    "models/osn/rendering.py": "tests/models/osn/test_object_scene.py renders by it",
    "models/osn/training.py": KILLED,
    "models/rendering.py": "every test that renders goes through it",
    "pipeline/baselines/checkpoint.py": KILLED,
    "pipeline/baselines/depth_supervision.py": "tests/pipeline/baselines/test_data.py",
    "pipeline/baselines/method.py": KILLED,
    "pipeline/baselines/training.py": KILLED,
    "pipeline/baselines/training_state.py": KILLED,
    "pipeline/correspondence/flow_backend.py": "tests/pipeline/runtime/test_backends.py and test_estimate_flow.py choose by it",
    "pipeline/datasets/files.py": LAYOUT,
    "pipeline/datasets/imported_scene.py": LAYOUT,
    "pipeline/datasets/layouts/multimotion.py": "OSN's real scenes: tests/pipeline/datasets/layouts/test_osn.py",
    "pipeline/datasets/layouts/nsff.py": RIGS,
    "pipeline/datasets/layouts/nvidia.py": RIGS,
    "pipeline/datasets/layouts/semantic_nvidia.py": RIGS,
    "pipeline/datasets/scene_folder.py": "tests/pipeline/test_import_dataset.py",
    "pipeline/datasets/exports/colmap.py": EXPORTED,
    "pipeline/datasets/exports/dnerf.py": EXPORTED,
    "pipeline/datasets/exports/dycheck.py": EXPORTED,
    "pipeline/datasets/exports/llff.py": RIGS,
    "pipeline/datasets/exports/nerfstudio.py": EXPORTED,
    "pipeline/datasets/exports/osn.py": "tests/pipeline/datasets/layouts/test_osn.py imports what it writes",
    "pipeline/datasets/held_out_views.py": EXPORTED,
    "pipeline/datasets/layouts/dycheck.py": "tests/pipeline/datasets/test_nerfies_scene.py",
    "pipeline/datasets/layouts/hypernerf.py": "tests/pipeline/datasets/test_nerfies_scene.py",
    "pipeline/datasets/nerfies_camera.py": "tests/pipeline/datasets/test_nerfies_scene.py",
    "pipeline/datasets/posed_video.py": EXPORTED,
    "pipeline/datasets/seen_views.py": LAYOUT,
    "pipeline/evaluation/known_truth.py": "tests/pipeline/test_evaluate.py",
    "pipeline/evaluation/splats.py": SPLATS,
    "pipeline/footage/banners.py": "tests/pipeline/footage/test_overlays.py",
    "pipeline/footage/steadiness.py": "tests/pipeline/footage/test_overlays.py",
    "pipeline/footage/shown_part.py": "tests/pipeline/test_extract_frames.py: shots, borders, blank frames, sizes",
    "pipeline/formats/flow_file.py": "tests/pipeline/test_estimate_flow.py and correspondence/test_flow_chain.py",
    "pipeline/formats/id_files.py": "tests/pipeline/formats/test_mask_folder.py: one file means something among others only",
    "pipeline/formats/masks_file.py": "tests/pipeline/test_segment_objects.py",
    "pipeline/formats/splats_folder.py": SPLATS,
    "pipeline/formats/video_source.py": "tests/pipeline/test_extract_frames.py drives it in full",
    "pipeline/live/part_nodes.py": LIVE,
    "pipeline/osn/checkpoint.py": METHOD,
    "pipeline/osn/method.py": METHOD,
    "pipeline/osn/scale_judge.py": SPLATS,
    "pipeline/osn/surfaces.py": "tests/pipeline/test_export_objects.py",
    "pipeline/osn/training.py": KILLED,
    "pipeline/osn/training_state.py": KILLED,
    "pipeline/rendering/dense_depth.py": EXPORTED,
    "pipeline/rendering/view_pictures.py": "tests/pipeline/test_render_views.py",
    "pipeline/reporting/embedding.py": "tests/pipeline/test_report.py",
    "pipeline/reporting/figures.py": "tests/pipeline/test_report.py",
    "pipeline/reporting/finished_runs.py": "tests/pipeline/test_compare_runs.py",
    "pipeline/reporting/page.py": "tests/pipeline/test_report.py",
    "pipeline/reporting/sections.py": "tests/pipeline/test_report.py",
    "pipeline/reporting/videos.py": "tests/pipeline/test_report.py",
    "pipeline/runtime/config_edit.py": "tests/pipeline/picker/test_prompt_block.py",
    "pipeline/runtime/device.py": "tests/pipeline/test_cli.py",
    "pipeline/runtime/errors.py": "a class without code",
    "pipeline/runtime/progress.py": "every stage's tests; it writes lines only",
    "pipeline/runtime/run_plan.py": "tests/pipeline/runtime/test_run_status.py",
    "pipeline/formats/depth_anything_results.py": TOOLS,
    "pipeline/formats/megasam_results.py": TOOLS,
    "pipeline/formats/pose_arrays.py": TOOLS,
    "pipeline/formats/tool_depth.py": TOOLS,
    "pipeline/formats/vipe_results.py": TOOLS,
    "pipeline/runtime/threads.py": "tests/pipeline/test_reconstruct_objects.py: the same bits on any number of threads",
    "pipeline/scene/region.py": "tests/pipeline/semantic_flow/test_setup.py and test_data.py",
    "pipeline/scene/method_interface.py": "tests/pipeline/rendering/test_third_method.py",
    "pipeline/segmentation/backends/motion.py": "tests/pipeline/test_segment_objects.py runs it on known truth",
    "pipeline/segmentation/mask_backend.py": "tests/pipeline/runtime/test_backends.py and test_segment_objects.py choose by it",
    "pipeline/segmentation/sam_video.py": "tests/pipeline/segmentation/propagators/test_sam2.py and test_sam3.py",
    "pipeline/segmentation/video.py": "lazy values; every test of segment_objects goes through it",
    "pipeline/semantic_flow/checkpoint.py": METHOD,
    "pipeline/semantic_flow/method.py": METHOD,
    "pipeline/semantic_flow/training.py": KILLED,
    "pipeline/semantic_flow/training_scene.py": KILLED,
    "pipeline/semantic_flow/training_state.py": KILLED,
    "pipeline/scene/placement.py": "tests/pipeline/test_export_objects.py",
    "pipeline/splats/field_splats.py": SPLATS,
    "pipeline/splats/scale_record.py": SPLATS,
    "pipeline/splats/views.py": SPLATS,
    "pipeline/splats/whole_scene.py": SPLATS,
    "pipeline/settings/baselines.py": SETTINGS,
    "pipeline/settings/fixed_scenes.py": "tests/pipeline/truth/test_fixed_scenes.py",
    "pipeline/settings/geometry.py": SETTINGS,
    "pipeline/settings/output.py": SETTINGS,
    "pipeline/settings/perception.py": SETTINGS,
    "pipeline/settings/scene.py": SETTINGS,
    "pipeline/settings/simulation.py": SETTINGS,
    "pipeline/settings/training.py": SETTINGS,
    "pipeline/settings/values.py": SETTINGS,
    "pipeline/sfm/given_poses.py": "tests/pipeline/sfm/test_pose_dialects.py",
    "pipeline/sfm/pose_check.py": "tests/pipeline/sfm/test_pose_dialects.py",
    "pipeline/sfm/pose_mistakes.py": "tests/pipeline/sfm/test_pose_dialects.py",
}


def mirror(path: Path) -> Path:
    """Where the tests of a module are."""
    return Path("tests") / path.parent / f"test_{path.name}"


def sources() -> list[Path]:
    """Every module of ours, from the project's folder."""
    return [
        path.relative_to(ROOT)
        for layer in ("pipeline", "models")
        for path in sorted((ROOT / layer).rglob("*.py"))
        if path.name != "__init__.py"
    ]


def test_every_module_has_its_tests_or_a_reason() -> None:
    without = {str(path) for path in sources() if not (ROOT / mirror(path)).exists()}
    assert without == set(WITHOUT), f"new: {without - set(WITHOUT)}; gone: {set(WITHOUT) - without}"


def test_every_test_file_mirrors_a_module() -> None:
    """Tests of several modules at once have a name here, so that none stays behind when its module goes."""
    several = {"sfm/test_pose_dialects.py", "osn/test_resume.py", "semantic_flow/test_resume.py"}
    several |= {"rendering/test_third_method.py", "runtime/test_packages.py"}
    known = {str(mirror(path)) for path in sources()} | {f"tests/pipeline/{name}" for name in several}
    files = [
        path.relative_to(ROOT)
        for layer in ("pipeline", "models")
        for path in (ROOT / "tests" / layer).rglob("test_*.py")
    ]
    orphans = [str(path) for path in files if str(path) not in known]
    assert not orphans, orphans
