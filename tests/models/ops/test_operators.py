"""Every operator, with every kernel, in every type of number: the reference's values and gradients, on random scenes."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from models.ops.operators import OPERATORS, by_triton
from pipeline.runtime.sources import ROOT
from tests.models.ops.operator_calls import SCENES, calls, tensors

Results = dict[str, list[torch.Tensor]]
LEARNED = {  # of each operator with gradients: the arguments that are learned, and of these the places
    "interpolate_volume": ((0, 2), 2),
    "interpolate_vm": ((0, 1, 4), 4),
    "contract_points": ((0,), 0),
    "composite": ((0, 1), None),
    "region_planes": ((0, 1, 2), 2),
    "region_volume": ((0,), None),
    "blend": ((0, 1, 2), None),
}
HELD = {name: 1e-4 if name.endswith("_backward") else 1e-5 for name in OPERATORS}


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What the kernels for CUDA make of the scenes under Triton's interpreter."""
    if find_spec("triton") is None:
        pytest.skip("Triton is not installed here")
    path: Path = tmp_path_factory.mktemp("triton") / "results.pt"
    command = [sys.executable, "-m", "tests.models.ops.operator_calls", str(path)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"TRITON_INTERPRET": "1"}, check=True)
    found: Results = torch.load(path)
    return found


def check(name: str, expected: list[torch.Tensor], found: list[torch.Tensor], where: str) -> None:
    """Relative to each result's length. Which of two samples at one place comes first is left open."""
    assert len(expected) == len(found)
    for number, (one, other) in enumerate(zip(expected, found, strict=True)):
        assert one.shape == other.shape and one.dtype == other.dtype, f"{where}, result {number}"
        if one.is_floating_point():
            error = float((one - other).norm() / one.norm().clamp(min=1e-12))
            assert error < HELD[name], f"{where}, result {number}: {error}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", sorted(name for name in OPERATORS if "cpu" in OPERATORS[name].kernels))
def test_loops_of_cpus_agree_with_the_reference(name: str, dtype: torch.dtype) -> None:
    for seed in range(SCENES):
        for call, arguments in calls(seed, dtype):
            if call.split(":")[0] == name:
                found = OPERATORS[name].kernels["cpu"](*arguments)
                if name.startswith("march"):
                    assert_same_samples(OPERATORS[name].reference(*arguments), found)
                check(name, tensors(OPERATORS[name].reference(*arguments)), tensors(found), f"{call} {seed}")


@pytest.mark.parametrize("name", sorted(name for name in OPERATORS if "cuda" in OPERATORS[name].kernels))
def test_triton_agrees_with_the_reference(name: str, triton: Results) -> None:
    for seed in range(SCENES):
        for call, arguments in calls(seed, torch.float32):
            if call.split(":")[0] == name:
                expected = OPERATORS[name].reference(*arguments)
                if name.startswith("march"):
                    assert_same_samples(expected, triton[f"{seed} {call}"])
                check(name, tensors(expected), triton[f"{seed} {call}"], f"{call} {seed}")


def test_triton_compiles_every_kernel_for_a_gpu(tmp_path: Path) -> None:
    """Down to machine code, for each call of each operator, in a process of its own; the interpreter takes more than it does."""
    if find_spec("triton") is None:
        pytest.skip("Triton is not installed here")
    command = [sys.executable, "-m", "tests.models.ops.kernels_for_a_gpu"]
    plain = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        command, cwd=ROOT, env=plain | {"TRITON_CACHE_DIR": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    sizes = dict(line.split() for line in done.stdout.splitlines())
    operators = {name.removesuffix("_backward") for name in OPERATORS if "cuda" in OPERATORS[name].kernels}
    assert {kernel.split(".")[2] for kernel in sizes} == operators
    assert all(int(size) > 1000 for size in sizes.values()), sizes


def assert_same_samples(expected: list[torch.Tensor], found: list[torch.Tensor]) -> None:
    assert torch.equal(expected[0], found[0])
    filled = expected[3] > 0
    assert torch.equal(expected[1][filled], found[1][filled])


def test_gradients_of_operators_are_those_of_their_values() -> None:
    """By finite differences of the references, in double precision, away from cut-offs."""
    generator = torch.Generator().manual_seed(0)
    for call, arguments in calls(0, torch.float64):
        name = call.split(":")[0]
        if name in LEARNED:
            numbers, place = LEARNED[name]
            learned = list(arguments)
            if place is not None:
                spread = torch.rand(learned[place].shape, generator=generator, dtype=torch.float64)
                learned[place] = 0.05 + 0.9 * spread
            for number in numbers:
                learned[number] = learned[number].clone().requires_grad_()

            def value(*given: torch.Tensor, of: str = name) -> torch.Tensor:
                return tensors(OPERATORS[of](*given))[0]

            assert torch.autograd.gradcheck(value, learned, fast_mode=True), name


def test_the_reference_stays_where_triton_cannot_serve() -> None:
    """Double precision, and gradients whose sums must come in a fixed order."""
    kernel = by_triton("nothing_backward", lambda tensor: "reference", backward=True)
    if kernel is None:
        pytest.skip("Triton is not installed here")
    assert kernel(torch.zeros(1, dtype=torch.float64)) == kernel(torch.zeros(1, dtype=torch.float16)) == "reference"
    of_halves = by_triton("nothing", lambda tensor: "reference", numbers=(torch.float32, torch.float16))
    assert of_halves is not None
    with pytest.raises(ModuleNotFoundError):
        of_halves(torch.zeros(1, dtype=torch.float16))
    torch.use_deterministic_algorithms(True)
    try:
        assert kernel(torch.zeros(1)) == "reference"
    finally:
        torch.use_deterministic_algorithms(False)
    with pytest.raises(ModuleNotFoundError):
        kernel(torch.zeros(1))
