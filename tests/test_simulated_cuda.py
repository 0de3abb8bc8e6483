"""The simulated device: the numbers of the CPU, the faults of CUDA, and every wait and kernel counted."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.simulated_cuda import Card, DeviceError, simulated_cuda


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * gradients[0]


def trained(device: str) -> tuple[list[Tensor], dict[str, Any]]:
    """Three steps of a small network, through what training uses: views, scatters, masks, a function of its own."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)).to(device)
    adam = torch.optim.AdamW(network.parameters(), lr=1e-2, fused=True)
    x = torch.linspace(-1, 1, 30).view(10, 3).to(device)
    owner = torch.arange(10, device=device) % 4
    for _ in range(3):
        adam.zero_grad(set_to_none=True)
        y = Square.apply(network(x))
        sums = torch.zeros(4, device=device).index_add(0, owner, y[:, 0])
        (sums.square().sum() + y[x[:, 0] > 0].mean() + y.unbind(1)[0].sum() + y.new_zeros(3).sum()).backward()
        adam.step()
    return [parameter.detach().cpu() for parameter in network.parameters()], adam.state_dict()


def test_a_network_trains_as_on_the_cpu_and_its_state_is_kept_as_host_tensors() -> None:
    wanted, _ = trained("cpu")
    with simulated_cuda():
        found, state = trained("cuda")
        assert all(torch.equal(a, b) for a, b in zip(wanted, found, strict=True))
        file = io.BytesIO()
        torch.save(state, file)
    file.seek(0)
    kept = torch.load(file, map_location="cpu", weights_only=True)["state"][0]["exp_avg"]
    assert kept.device.type == "cpu" and torch.equal(kept, state["state"][0]["exp_avg"].held)


@pytest.fixture
def card():
    with simulated_cuda() as device:
        yield device


def rows(card: Card) -> Tensor:
    return torch.rand(6, 3, device="cuda", generator=torch.Generator("cuda").manual_seed(1))


def test_torch_believes_in_the_device(card: Card) -> None:
    x = rows(card)
    assert torch.cuda.is_available() and x.is_cuda and x.device == torch.device("cuda", 0)
    assert x[0].is_cuda and torch.zeros_like(x).is_cuda and x.new_zeros(2).is_cuda and not torch.ones(2).is_cuda
    assert nn.Parameter(x).is_cuda and x.to(torch.float64).dtype == torch.float64
    assert torch.equal(x.cpu(), x.held) and not x.cpu().is_cuda
    y = x.clone()
    y[1:3].mul_(2)
    y[y > 1] = 0.0
    assert torch.equal(y.cpu()[0], x.cpu()[0]) and not torch.equal(y.cpu(), x.cpu())
    with torch.autocast("cuda", torch.bfloat16):
        assert (x @ x.T).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda x: x.numpy(), TypeError),
        (lambda x: np.asarray(x), TypeError),
        (lambda x: x + torch.ones(3), DeviceError),
        (lambda x: torch.cat([x, torch.ones(1, 3)]), DeviceError),
        (lambda x: torch.ones(6)[x[:, 0] > 0.5], DeviceError),
        (lambda x: torch.rand(3, generator=torch.Generator("cuda")), DeviceError),
        (lambda x: torch.rand(3, device="cuda", generator=torch.Generator()), DeviceError),
    ],
)
def test_what_cuda_refuses_is_refused(card: Card, fault: Callable[[Tensor], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        fault(rows(card))


WAITS: list[tuple[str, Callable[[Tensor], Any], int]] = [
    ("a float", lambda x: float(x.sum()), 1),
    ("a truth", lambda x: bool((x > 0).all()), 1),
    ("a list", lambda x: x.tolist(), 1),
    ("a copy", lambda x: x.cpu(), 1),
    ("a mask that selects", lambda x: x[x > 0.5], 1),
    ("a mask that fills", lambda x: x.masked_fill(x > 0.5, 0), 0),
    ("a mask that is written by a number", lambda x: x.clone().__setitem__(x > 0.5, 0.0), 0),
    ("nonzero", lambda x: (x > 0.5).nonzero(), 1),
    ("a list as index", lambda x: x[:, [0, 2]], 1),
    ("a slice", lambda x: x[:, ::2] * 2, 0),
    ("numbers brought over", lambda x: torch.tensor([1.0], device="cuda"), 1),
    ("new_tensor", lambda x: x.new_tensor([1.0]), 1),
    ("a tensor brought over", lambda x: torch.ones(3).to("cuda"), 1),
    ("a number in an operation", lambda x: x + torch.tensor(1.0), 0),
    ("bincount", lambda x: x[:, 0].long().bincount(), 1),
    ("a checked inverse", lambda x: torch.linalg.inv(torch.eye(3, device="cuda")), 1),
    ("an unchecked inverse", lambda x: torch.linalg.inv_ex(torch.eye(3, device="cuda")), 0),
    ("sorting", lambda x: x.sort(), 0),
    ("one_hot with a number of classes", lambda x: nn.functional.one_hot(x.long()[:, 0], 2), 0),
    ("a quantile", lambda x: x.quantile(0.5), 0),
    ("a choice", lambda x: torch.where(x > 0, x, 0.0), 0),
]


@pytest.mark.parametrize(("act", "count"), [pair[1:] for pair in WAITS], ids=[pair[0] for pair in WAITS])
def test_the_host_waits_where_it_must(card: Card, act: Callable[[Tensor], Any], count: int) -> None:
    x = rows(card)
    with card.watched() as seen:
        act(x)
    assert seen.syncs == count, seen.text()


def test_kernels_are_counted_by_line_and_memory_is_given_back(card: Card) -> None:
    x = torch.zeros(1000, 250, device="cuda")  # 1 MB
    before = card.taken
    with card.watched() as seen:
        y = x[3:].T * 2 + 1
    assert seen.kernels == 2 and all("test_simulated_cuda.py" in line for line in seen.kernels_by_line)
    assert card.taken - before == y.numel() * 4 and seen.peak_bytes - before == 2 * y.numel() * 4
    del x, y
    assert card.taken < before
