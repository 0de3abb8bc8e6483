"""Passes as CUDA graphs, on the simulated device."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from models.ops.recorded_pass import WARM_UP, PassRecorder
from models.rays import TensorFields
from tests.simulated_cuda import simulated_cuda

CUDA = torch.device("cuda")


@dataclass(frozen=True)
class Given(TensorFields):
    values: Tensor


def after(passes: int, wanted: bool, reads: bool = False) -> tuple[list[float], list[float], int, PassRecorder]:
    """A sum of weighted and shaken values, its gradient, kernels of the last pass, and who ran it."""
    with simulated_cuda() as card:
        weight = torch.ones(3, device=CUDA, requires_grad=True)
        recorder = PassRecorder(wanted)

        def run(given: Given, generator: torch.Generator) -> dict[str, Tensor]:
            shaken = given.values + torch.rand(3, generator=generator, device=CUDA)
            total = (weight * shaken).square().sum()
            if reads:
                total = total * float(total.detach())
            total.backward()
            return {"total": total.detach()}

        totals, gradients = [], []
        for number in range(passes):
            given = Given(torch.full((3,), float(number), device=CUDA))
            weight.grad = torch.ones(3, device=CUDA) if number % 2 else None  # added to where there is one
            with card.watched() as seen:
                outputs = recorder("key", number, given, [weight], run)
            totals.append(outputs["total"].item())
            gradients += weight.grad.tolist()
        return totals, gradients, seen.kernels, recorder


def test_a_recorded_pass_gives_what_the_pass_itself_gives_in_one_launch() -> None:
    plain, graph = after(WARM_UP + 4, False), after(WARM_UP + 4, True)
    assert graph[0] == plain[0] and graph[1] == plain[1] and len(set(plain[0])) == WARM_UP + 4
    assert len(graph[3].recordings) == 1 and graph[2] <= 3 < plain[2]  # the copy of the inputs, the launch, an addition


def test_a_pass_that_waits_is_run_kernel_by_kernel_and_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    plain, graph = after(WARM_UP + 3, False, reads=True), after(WARM_UP + 3, True, reads=True)
    assert graph[:2] == plain[:2] and not graph[3].wanted and not graph[3].recordings
    assert caplog.text.count("could not be recorded as a CUDA graph") == 1 and "a value is read" in caplog.text


def test_other_shapes_are_recorded_anew_and_passes_without_a_key_never() -> None:
    with simulated_cuda():
        recorder, weight = PassRecorder(True), torch.ones((), device=CUDA, requires_grad=True)

        def run(given: Given, generator: torch.Generator) -> dict[str, Tensor]:
            (weight * given.values.sum()).backward()
            return {}

        for key, size in ((None, 2), ("key", 2), ("key", 5)):
            for _ in range(WARM_UP + 2):
                weight.grad = None
                recorder(key, 0, Given(torch.ones(size, device=CUDA)), [weight], run)
                assert weight.grad is not None and weight.grad.item() == size
            assert [kept.shapes for kept in recorder.recordings.values()] == ([(torch.Size([size]),)] if key else [])
        recorder.forget()
        assert not recorder.recordings and not recorder.passes
