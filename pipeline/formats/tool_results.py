"""Results of ViPE, Depth Anything 3 and MegaSaM, each known by its layout: the only place that lists these tools."""

from pathlib import Path

from pipeline.formats.depth_anything_results import da3_depth, da3_poses
from pipeline.formats.megasam_results import megasam_depth, megasam_poses
from pipeline.formats.tool_depth import Size, ToolDepth
from pipeline.formats.transforms_file import NamedPoses
from pipeline.formats.vipe_results import vipe_depth, vipe_poses


def tool_poses(path: Path, size: Size | None) -> NamedPoses | None:
    """The poses that one of the tools left at a path, with the camera for images of a (height, width)."""
    return vipe_poses(path, size) or da3_poses(path, size) or megasam_poses(path, size)


def tool_depth(path: Path) -> ToolDepth | None:
    """The depth that one of the tools left at a path."""
    return vipe_depth(path) or da3_depth(path) or megasam_depth(path)
