"""OSN's schedule, grids and optimiser groups, by hand."""

import torch

from pipeline.config import TrainOsnConfig
from pipeline.osn.setup import Phase, grid_steps, optimiser_group, scale_bank, schedule

CONFIG = TrainOsnConfig(
    bootstrap_steps=100, steps=1000, rounds=2, round_steps=150, network_steps=30, grids=[16, 24, 32]
)


def test_fields_and_network_take_turns_and_the_network_has_the_last_word() -> None:
    assert schedule(CONFIG, True) == [
        Phase("bootstrap", 100),
        Phase("network", 30, 0),
        Phase("composite", 150, 0),
        Phase("network", 30, 1),
        Phase("composite", 150, 1),
        Phase("composite", 700, 2),
        Phase("network", 30, 2),
    ]
    assert sum(phase.steps for phase in schedule(CONFIG, True) if phase.name == "composite") == CONFIG.steps


def test_rounds_of_a_short_training_fit_into_it() -> None:
    short = CONFIG.model_copy(update={"steps": 10})
    assert [phase.steps for phase in schedule(short, True) if phase.name == "composite"] == [5, 5, 0]


def test_without_scales_there_is_no_network() -> None:
    assert schedule(CONFIG, False) == [Phase("bootstrap", 100), Phase("composite", 1000)]


def test_the_finest_grid_is_in_place_after_three_fifths() -> None:
    assert grid_steps(CONFIG) == [0, 330, 660]
    assert grid_steps(CONFIG.model_copy(update={"grids": [32]})) == [0]


def test_parameters_learn_with_their_like() -> None:
    groups = {
        "fields.0.density_planes.1": "grids",
        "fields.0.colour_lines.0": "grids",
        "fields.2.colour_planes.0": "colours",
        "fields.1.basis": "networks",
        "fields.1.tint": "networks",
        "shaders.0.first": "networks",
        "far_colour.table": "grids",
        "corrections": "poses",
    }
    assert {name: optimiser_group(name) for name in groups} == groups


def test_the_bank_fills_the_cube_evenly_and_repeats_with_its_seed() -> None:
    bank = scale_bank(256, 2, 7, torch.device("cpu"))
    counts = torch.bincount((4 * bank).long() @ torch.tensor([4, 1]), minlength=16)
    assert counts.tolist() == [16] * 16
    assert torch.equal(bank, scale_bank(256, 2, 7, torch.device("cpu")))
