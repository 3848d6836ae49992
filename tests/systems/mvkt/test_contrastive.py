"""Contrastive transfer against plain loops, over resumed training and over two processes."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.systems.mvkt.contrastive import ContrastiveTransfer, nce
from ecgvision.systems.mvkt.negatives import draw

N, STUDENT, TEACHER, SIZE, K = 40, 6, 9, 4, 7


def some_targets() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(N, 3, generator=generator) < 0.4).to(torch.uint8)


def transfer(**changes) -> ContrastiveTransfer:
    torch.manual_seed(2)
    return ContrastiveTransfer(
        STUDENT, TEACHER, N, some_targets(), **{"size": SIZE, "k": K, "seed": 3} | changes
    )


def batches(count: int, size: int = 8) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(4)
    return [
        (
            torch.randn(size, STUDENT, generator=generator),
            torch.randn(size, TEACHER, generator=generator),
            torch.randperm(N, generator=generator)[:size],
        )
        for _ in range(count)
    ]


class Plain:
    """The loss as loops over numpy's doubles."""

    def __init__(self, module: ContrastiveTransfer) -> None:
        def array(t: torch.Tensor) -> np.ndarray:
            return t.detach().double().numpy().copy()

        self.module = module
        self.w = [array(module.student.weight), array(module.teacher.weight)]
        self.b = [array(module.student.bias), array(module.teacher.bias)]
        self.bank = [array(module.student_bank), array(module.teacher_bank)]
        self.z: list[float | None] = [None, None]
        self.step = 0

    def __call__(self, student, teacher, rows) -> float:
        module = self.module
        drawn, _ = draw(
            rows, module.targets, negatives=module.negatives, k=module.k, seed=module.seed,
            step=torch.tensor(self.step),
        )  # fmt: skip
        v = []
        for side, features in enumerate((student, teacher)):
            out = []
            for x in features.double().numpy():
                y = self.w[side] @ x + self.b[side]
                out.append(y / math.sqrt(sum(y * y)))
            v.append(out)
        loss, m, noise, exps = 0.0, module.k, 1 / N, []
        for side in (0, 1):
            exps.append([
                [
                    math.exp(self.bank[1 - side][j] @ v[side][i] / module.temperature)
                    for j in (int(rows[i]), *drawn[i].tolist())
                ]
                for i in range(len(rows))
            ])  # fmt: skip
            if self.z[side] is None:
                self.z[side] = float(np.mean(exps[side])) * N
            for scores in exps[side]:
                p = [score / self.z[side] for score in scores]
                loss -= math.log(p[0] / (p[0] + m * noise))
                loss -= sum(math.log(m * noise / (q + m * noise)) for q in p[1:])
        for side in (0, 1):
            for i, row in enumerate(rows.tolist()):
                entry = module.momentum * self.bank[side][row] + (1 - module.momentum) * v[side][i]
                self.bank[side][row] = entry / math.sqrt(sum(entry * entry))
        self.step += 1
        return loss / len(rows)


@pytest.mark.parametrize("negatives", ["disjoint", "official", "uniform"])
@pytest.mark.parametrize(("k", "momentum", "temperature"), [(7, 0.5, 0.07), (60, 0.9, 0.5)])
def test_three_steps_equal_plain_loops(negatives, k, momentum, temperature):
    module = transfer(negatives=negatives, k=k, momentum=momentum, temperature=temperature)
    plain, constant = Plain(module), None
    for student, teacher, rows in batches(3):
        assert float(module(student, teacher, rows).detach()) == pytest.approx(
            plain(student, teacher, rows), rel=1e-4
        )
        np.testing.assert_allclose(module.student_bank, plain.bank[0], atol=1e-5)
        np.testing.assert_allclose(module.teacher_bank, plain.bank[1], atol=1e-5)
        np.testing.assert_allclose(module.z, plain.z, rtol=1e-4)
        constant = module.z.clone() if constant is None else constant
        assert torch.equal(module.z, constant)
    assert int(module.step) == 3


def test_published_sizes_are_the_defaults():
    module = ContrastiveTransfer(4096, 4096, N, some_targets())
    assert module.student_bank.shape == module.teacher_bank.shape == (N, 128)
    assert (module.k, module.temperature, module.momentum, module.negatives) == (
        1024, 0.07, 0.5, "disjoint"
    )  # fmt: skip
    bound = 1 / math.sqrt(128 / 3)
    assert 0.99 * bound < float(module.student_bank.abs().max()) <= bound
    assert not torch.equal(module.student_bank, module.teacher_bank)


def test_banks_depend_on_the_seed_alone():
    one = transfer()
    torch.rand(7)
    assert torch.equal(one.student_bank, transfer().student_bank)
    assert not torch.equal(one.student_bank, transfer(seed=4).student_bank)


def test_nce_by_hand():
    p = torch.tensor([[0.3, 0.1, 0.02], [0.01, 0.5, 0.4]])
    m_noise = 2 / 10
    expected = -(p[:, 0] / (p[:, 0] + m_noise)).log() - (m_noise / (p[:, 1:] + m_noise)).log().sum(
        1
    )
    torch.testing.assert_close(nce(p.log(), 10), expected)


def test_gradients_reach_student_and_embeddings_and_a_teacher_that_asks():
    module = transfer()
    (student, teacher, rows) = batches(1)[0]
    student.requires_grad_()
    module(student, teacher, rows).backward()
    assert student.grad.abs().sum(1).min() > 0
    assert teacher.grad is None
    for key, parameter in module.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.any(), key
    teacher.requires_grad_()
    module(student, teacher, rows).backward()
    assert teacher.grad.abs().sum(1).min() > 0
    assert not any(buffer.requires_grad for buffer in module.buffers())


def test_gradient_equals_finite_differences():
    student, teacher, rows = batches(1, size=3)[0]
    module = transfer(temperature=0.5).double().eval()
    module.z.fill_(60.0)
    row, step = student.double().requires_grad_(), 1e-3
    module(row, teacher, rows).backward()
    for i, j in ((0, 0), (2, 5)):
        moved = torch.zeros_like(row)
        moved[i, j] = step
        with torch.no_grad():
            up, down = module(row + moved, teacher, rows), module(row - moved, teacher, rows)
        assert float(row.grad[i, j]) == pytest.approx(
            float(up - down) / (2 * step), rel=2e-2, abs=1e-3
        )


def test_training_lowers_the_loss_and_finds_the_pairs():
    """A student whose features hold the teacher's comes to lie next to its own teacher's entry."""
    torch.manual_seed(0)
    hidden = torch.randn(N, TEACHER)
    seen = hidden @ torch.randn(TEACHER, STUDENT)
    module = transfer(size=6, k=20, negatives="uniform")
    optimizer, losses = torch.optim.Adam(module.parameters(), lr=0.02), []
    for step in range(150):
        rows = torch.randperm(N, generator=torch.Generator().manual_seed(step))[:20]
        loss = module(seen[rows], hidden[rows], rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-20:]) < 0.7 * np.mean(losses[:5])
    nearest = (module.student_bank @ module.teacher_bank.T).argmax(1)
    assert (nearest == torch.arange(N)).float().mean() > 0.5  # chance: one in forty


def test_evaluation_changes_nothing():
    module = transfer().eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    first, again = (module(*batches(1)[0]) for _ in range(2))
    assert torch.equal(first, again)
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert torch.equal(first, module.train()(*batches(1)[0]))


def test_resuming_gives_the_same_losses():
    module, steps = transfer(), batches(4)
    for batch in steps[:2]:
        module(*batch)
    state = {key: value.clone() for key, value in module.state_dict().items()}
    assert "targets" not in state
    torch.rand(11)  # a resumed process has another random state
    resumed = ContrastiveTransfer(STUDENT, TEACHER, N, some_targets(), size=SIZE, k=K, seed=3)
    resumed.load_state_dict(state)
    for batch in steps[2:]:
        assert torch.equal(module(*batch), resumed(*batch))
    assert torch.equal(module.student_bank, resumed.student_bank)
    fresh = transfer()
    fresh.load_state_dict(state)
    fresh.step.zero_()  # the step matters: without it, others are drawn
    assert not torch.equal(fresh(*steps[2]), resumed.load_state_dict(state) and resumed(*steps[2]))


def test_fallbacks_are_counted_over_steps():
    targets = torch.ones(N, 2, dtype=torch.uint8)
    targets[:3] = torch.tensor([1, 0], dtype=torch.uint8)
    targets[3:5] = torch.tensor([0, 1], dtype=torch.uint8)
    module = ContrastiveTransfer(STUDENT, TEACHER, N, targets, size=SIZE, k=2)
    student, teacher, _ = batches(1, size=6)[0]
    # Rows 0-2 have two eligible, rows 3-4 three, all others none.
    for _ in range(2):
        module(student, teacher, torch.tensor([0, 3, 4, 10, 11, 12]))
    assert module.fallbacks.tolist() == [0, 6]
    module.k = 3
    module(student, teacher, torch.tensor([0, 3, 4, 10, 11, 12]))
    assert module.fallbacks.tolist() == [1, 9]


def test_a_record_met_twice_keeps_its_last_embedding():
    once, twice = transfer(), transfer()
    student, teacher, _ = batches(1, size=3)[0]
    twice(student, teacher, torch.tensor([5, 9, 5]))
    once(student[1:], teacher[1:], torch.tensor([9, 5]))
    torch.testing.assert_close(twice.student_bank, once.student_bank)
    torch.testing.assert_close(twice.teacher_bank, once.teacher_bank)


def test_a_step_that_overflowed_leaves_the_banks_whole():
    module = transfer()
    student, teacher, rows = batches(1)[0]
    before = module.student_bank.clone()
    student[2] = float("inf")
    assert not module(student, teacher, rows).isfinite()
    assert module.student_bank.isfinite().all()
    assert torch.equal(module.student_bank[rows[2]], before[rows[2]])
    assert not torch.equal(module.student_bank[rows[1]], before[rows[1]])
    assert module.z[0] == 0
    assert module(*batches(2)[1]).isfinite()
    assert (module.z > 0).all()


def test_half_precision_around_it_makes_no_difference():
    plain, mixed = transfer(), transfer()
    batch = batches(1)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = mixed(*batch)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, plain(*batch))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"negatives": "hard"}, "hard"), ({"k": 0}, "k of"), ({"size": 0}, "size of"),
        ({"temperature": 0.0}, "temperature"), ({"momentum": 1.0}, "momentum"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(wrong, named):
    with pytest.raises(ConfigError, match=named):
        transfer(**wrong)


@pytest.mark.parametrize(
    "targets",
    [
        torch.zeros(N - 1, 3, dtype=torch.uint8), torch.zeros(N, 3), torch.zeros(N, dtype=torch.uint8),
        torch.full((N, 3), 2, dtype=torch.uint8), torch.zeros(N, 0, dtype=torch.uint8),
    ],
)  # fmt: skip
def test_wrong_targets_are_refused(targets):
    with pytest.raises(DataError, match="targets"):
        ContrastiveTransfer(STUDENT, TEACHER, N, targets)


def test_a_single_record_has_no_negatives():
    with pytest.raises(DataError, match="two training records"):
        ContrastiveTransfer(STUDENT, TEACHER, 1, torch.ones(1, 1, dtype=torch.uint8))


def test_wrong_batches_are_refused():
    module = transfer()
    student, teacher, rows = batches(1)[0]
    for wrong, named in (
        ((student[:3], teacher, rows), "student features"),
        ((student, teacher[:, :2], rows), "teacher features"),
        ((student, teacher, rows.int()), "int64"),
        ((student, teacher, rows + N - 1), "training set"),
        ((student, teacher, rows - N), "training set"),
        ((student[:0], teacher[:0], rows[:0]), "at least 1"),
    ):
        with pytest.raises(DataError, match=named):
            module(*wrong)
    assert int(module.step) == 0


SPLITS = (slice(0, 5), slice(5, 8))  # of unequal size, as a last batch may be


def _one_process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2,
        timeout=timedelta(seconds=60),
    )  # fmt: skip
    module, losses, gradients = transfer(k=25), [], []
    for student, teacher, rows in batches(3):
        part = SPLITS[rank]
        module.zero_grad()
        loss = module(student[part], teacher[part], rows[part])
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append({key: p.grad.clone() for key, p in module.named_parameters()})
    torch.save((losses, gradients, dict(module.named_buffers())), f"{folder}/rank{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_equal_one_with_the_batches_of_both(tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    multiprocessing.spawn(_one_process, (str(tmp_path),), nprocs=2)
    (losses0, gradients0, buffers0), (losses1, gradients1, buffers1) = (
        torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    module = transfer(k=25)
    for step, batch in enumerate(batches(3)):
        module.zero_grad()
        loss = module(*batch)
        loss.backward()
        assert (losses0[step] + losses1[step]) / 2 == pytest.approx(float(loss.detach()), rel=1e-5)
        assert losses0[step] != pytest.approx(losses1[step], rel=1e-3)
        for key, parameter in module.named_parameters():
            mean = (gradients0[step][key] + gradients1[step][key]) / 2
            torch.testing.assert_close(mean, parameter.grad, rtol=1e-4, atol=1e-6)
    for key, buffer in module.named_buffers():
        assert torch.equal(buffers0[key], buffers1[key]), key
        torch.testing.assert_close(buffers0[key], buffer, rtol=1e-5, atol=1e-6)
    assert module.fallbacks.sum() > 0  # counted over both, and compared above
