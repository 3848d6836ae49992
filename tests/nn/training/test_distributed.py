"""Two processes give the centre, the loss and the gradients of one with the whole batch."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import distributed as dist

from ecgvision.nn.training.distributed import gathered, rank, summed
from ecgvision.systems.ssl.ntxent import ntxent
from ecgvision.systems.ssl.self_distillation import DINOLoss


def example() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 6, 5, generator=generator), torch.randn(4, 6, 5, generator=generator)


def one_of_two(place: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=place, world_size=2,
                            timeout=timedelta(seconds=60))  # fmt: skip
    views, student = example()
    uneven = slice(0, 4) if place == 0 else slice(4, 6)
    dino = DINOLoss(5)
    dino(views[:, uneven], student[:, uneven])
    even = slice(0, 3) if place == 0 else slice(3, 6)
    own = views[:, even].clone().requires_grad_()
    loss = ntxent(own[0], own[1])
    loss.backward()
    found = {"centre": dino.centre, "loss": loss.detach(), "grad": own.grad}
    torch.save(found, f"{folder}/{place}.pt")
    dist.destroy_process_group()


def test_two_processes_are_one(tmp_path: Path):
    other = multiprocessing.get_context("spawn").Process(target=one_of_two, args=(1, str(tmp_path)))
    other.start()
    try:
        one_of_two(0, str(tmp_path))
    finally:
        other.join(60)
    assert other.exitcode == 0
    found = [torch.load(tmp_path / f"{place}.pt", weights_only=True) for place in range(2)]
    views, student = example()
    alone = DINOLoss(5)
    alone(views, student)
    for part in found:
        torch.testing.assert_close(part["centre"], alone.centre)
    whole = views.clone().requires_grad_()
    loss = ntxent(whole[0], whole[1])
    loss.backward()
    torch.testing.assert_close((found[0]["loss"] + found[1]["loss"]) / 2, loss.detach())
    # DDP averages gradients over processes
    torch.testing.assert_close(torch.cat([part["grad"] for part in found], 1) / 2, whole.grad)


def test_one_process_is_left_as_it_is():
    x = torch.ones(2, requires_grad=True)
    assert gathered(x) is x
    assert rank() == 0
    total = summed(x)
    assert not total.requires_grad
    assert total.tolist() == pytest.approx([1, 1])
