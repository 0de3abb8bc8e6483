"""The pretrained weights that stages can use: where each comes from, how to check it, and which is preferred."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

WeightsStage = Literal["estimate_flow", "segment_objects", "train_semantic_flow", "evaluate"]
TORCHVISION = "https://download.pytorch.org/models"
SAM = "https://dl.fbaipublicfiles.com/segment_anything"


@dataclass(frozen=True)
class Weight:
    """One file under weights/.

    `sha256` is the whole digest, or its first 8 digits where the publisher states no more than that (torchvision puts
    them into the file's name). Without an `address` the file is used where a person has put it, but not downloaded.
    """

    file: str
    model: str
    stage: WeightsStage
    address: str | None
    sha256: str
    size_mb: float
    licence: str
    origin: str


# Best first: a stage takes the first of its files that lies under weights/.
WEIGHTS = (
    Weight(
        "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        "raft_large",
        "estimate_flow",
        f"{TORCHVISION}/raft_large_C_T_SKHT_V2-ff5fadd5.pth",
        "ff5fadd5",
        20.1,
        "BSD-3-Clause",
        "torchvision",
    ),
    Weight(
        "raft_large_C_T_V2-1bb1363a.pth",
        "raft_large",
        "estimate_flow",
        f"{TORCHVISION}/raft_large_C_T_V2-1bb1363a.pth",
        "1bb1363a",
        20.1,
        "BSD-3-Clause",
        "torchvision",
    ),
    Weight(
        "raft_small_C_T_V2-01064c6d.pth",
        "raft_small",
        "estimate_flow",
        f"{TORCHVISION}/raft_small_C_T_V2-01064c6d.pth",
        "01064c6d",
        3.8,
        "BSD-3-Clause",
        "torchvision",
    ),
    Weight(
        "raft-small.pth",
        "raft_small",
        "estimate_flow",
        None,  # published inside models.zip by princeton-vl/RAFT (its download_models.sh)
        "c7d41b9cc88442bb8aa911dbb33086dac55a226394b142937ff22d5578717332",
        4.0,
        "BSD-3-Clause",
        "princeton-vl/RAFT",
    ),
    Weight(
        "sam_vit_h_4b8939.pth",
        "vit_h",
        "segment_objects",
        f"{SAM}/sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        2564.6,
        "Apache-2.0",
        "facebookresearch/segment-anything",
    ),
    Weight(
        "sam_vit_l_0b3195.pth",
        "vit_l",
        "segment_objects",
        f"{SAM}/sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        1249.5,
        "Apache-2.0",
        "facebookresearch/segment-anything",
    ),
    Weight(
        "sam_vit_b_01ec64.pth",
        "vit_b",
        "segment_objects",
        f"{SAM}/sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        375.0,
        "Apache-2.0",
        "facebookresearch/segment-anything",
    ),
    Weight(
        "resnet18-f37072fd.pth",
        "resnet18",
        "train_semantic_flow",
        f"{TORCHVISION}/resnet18-f37072fd.pth",
        "f37072fd",
        44.7,
        "BSD-3-Clause",
        "torchvision",
    ),
    Weight(
        "resnet34-b627a593.pth",
        "resnet34",
        "train_semantic_flow",
        f"{TORCHVISION}/resnet34-b627a593.pth",
        "b627a593",
        83.3,
        "BSD-3-Clause",
        "torchvision",
    ),
    Weight(
        "resnet50-11ad3fa6.pth",
        "resnet50",
        "train_semantic_flow",
        f"{TORCHVISION}/resnet50-11ad3fa6.pth",
        "11ad3fa6",
        97.8,
        "BSD-3-Clause",
        "torchvision",
    ),
    Weight(
        "alexnet-owt-7be5be79.pth",
        "alexnet",
        "evaluate",
        f"{TORCHVISION}/alexnet-owt-7be5be79.pth",
        "7be5be79",
        244.4,
        "BSD-3-Clause",
        "torchvision (the backbone of LPIPS)",
    ),
)


def weights_present(folder: Path | None, stage: WeightsStage) -> list[Weight]:
    """The known files of a stage that lie in `folder`, best first."""
    if folder is None:
        return []
    return [weight for weight in WEIGHTS if weight.stage == stage and (folder / weight.file).is_file()]


def is_genuine(path: Path, weight: Weight) -> bool:
    """Whether a file is the published one."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(weight.sha256)
