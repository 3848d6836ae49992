"""Contrastive transfer of teacher features to a student (CLT of MVKT-ECG)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.training.distributed import processes
from ecgvision.systems.mvkt.negatives import NEGATIVES, Negatives, draw


def gather(values: Tensor) -> Tensor:
    """Gather the rows of all processes, in order of rank, without gradients.

    Processes may have different numbers of rows. Every process must call this function.

    Shape:
        values: (B, ...); result: (sum of B over processes, ...).
    """
    world, values = processes(), values.detach()
    if world == 1:
        return values
    size = torch.tensor(len(values), device=values.device)
    sizes = [torch.zeros_like(size) for _ in range(world)]
    distributed.all_gather(sizes, size)
    counts = [int(s) for s in sizes]
    padded = values.new_zeros(max(counts), *values.shape[1:])
    padded[: len(values)] = values
    parts = [torch.empty_like(padded) for _ in range(world)]
    distributed.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


def nce(log_scores: Tensor, records: int) -> Tensor:
    """Noise-contrastive loss of each anchor (Tian et al. 2020, CRD).

    With P the normalised scores, m the number of negatives and noise `Pn = 1 / records`:
    `-log(P_0 / (P_0 + m Pn)) - sum_j log(m Pn / (P_j + m Pn))`, computed in logarithms. The public
    code adds 1e-7 to the denominators to guard the division; there is no division here.

    Shape:
        log_scores: (B, 1 + m) log P, the positive first; result: (B,).
    """
    gap = log_scores - math.log((log_scores.shape[1] - 1) / records)
    return F.softplus(-gap[:, 0]) + F.softplus(gap[:, 1:]).sum(1)


class ContrastiveTransfer(nn.Module):
    """Contrastive loss that matches student and teacher features of the same record.

    CRD (Tian et al. 2020) with negatives chosen by label (Qin et al. 2023, their public code).
    Both features pass through a linear layer and are scaled to length 1: v_S and v_T. Each record
    has an entry in two memory banks. A student anchor is scored against the teacher's bank and
    vice versa, `exp(<bank[j], v> / temperature) / Z`, for the record's own entry and K negatives.
    Z is the mean score of the first batch times n and is then fixed. The loss is the sum of `nce`
    over both directions, averaged over the batch. Afterwards the entries of the batch's records
    become `momentum * entry + (1 - momentum) * v`, scaled to length 1.

    Banks, Z, the step count and `fallbacks` are buffers, and negatives are a function of
    (seed, step, row), so a resumed training continues as if it had not stopped. In evaluation mode
    no buffer changes. An embedding that is not finite (a step that mixed precision will skip) makes
    the loss non-finite but leaves Z and banks unchanged. If a batch contains a record twice, its
    last embedding counts.

    With several processes, every process must call this module. The loss averaged over processes,
    its gradients as averaged by DistributedDataParallel, and the buffers equal those of a single
    process with the batches of all. The buffers are the same in all processes, so they need no
    broadcast: `EQUAL` lists them for the task, which excludes them from DistributedDataParallel.

    Args:
        student_channels, teacher_channels: numbers of features Fs and Ft.
        n_train: records n of the training set, at least 2.
        targets: (n, C) uint8 in {0, 1}, the labels of the training set by row.
        size: features of the embeddings. 128, momentum 0.5, temperature 0.07 and K = 1024 are
            those of the public code's script.
        negatives: see `ecgvision.systems.mvkt.negatives.eligible`.
        k: negatives K of each anchor.
        temperature: divides the scores before the exponential.
        momentum: weight of the previous entry in an update.
        seed: seed of the banks' initial entries and of the negatives.

    Attributes:
        fallbacks: (2,) int64, the number of anchors with fewer than K eligible negatives (drawn
            with replacement), and of those with none (drawn from all other records).

    Shape:
        student_features: (B, Fs); teacher_features: (B, Ft); rows: (B,) int64 in [0, n);
        result: scalar, of the dtype of the weights.

    Raises:
        ConfigError: for invalid settings.
        DataError: for targets, features or rows of another shape, type or range.
    """

    EQUAL = ("student_bank", "teacher_bank", "z", "step", "fallbacks")

    student_bank: Tensor
    teacher_bank: Tensor
    z: Tensor
    step: Tensor
    fallbacks: Tensor

    def __init__(
        self,
        student_channels: int,
        teacher_channels: int,
        n_train: int,
        targets: Tensor,
        *,
        size: int = 128,
        negatives: Negatives = "disjoint",
        k: int = 1024,
        temperature: float = 0.07,
        momentum: float = 0.5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if negatives not in NEGATIVES:
            raise ConfigError(f"negatives must be one of {NEGATIVES}", value=negatives)
        for name, value in (
            ("student_channels", student_channels), ("teacher_channels", teacher_channels),
            ("size", size), ("k", k),
        ):  # fmt: skip
            if value < 1:
                raise ConfigError(f"{name} of contrastive transfer must be positive", value=value)
        if not temperature > 0:
            raise ConfigError("the contrastive temperature must be positive", value=temperature)
        if not 0 <= momentum < 1:
            raise ConfigError("the banks' momentum must lie in [0, 1)", value=momentum)
        if n_train < 2:
            raise DataError("contrastive transfer needs two training records", value=n_train)
        if targets.ndim != 2 or len(targets) != n_train or targets.dtype != torch.uint8:
            raise DataError(
                f"targets must be ({n_train}, C) uint8",
                value=(tuple(targets.shape), str(targets.dtype)),
            )
        if targets.shape[1] < 1 or int(targets.max()) > 1:
            raise DataError("targets must be 0 or 1, for one label at least", value=targets.shape)
        self.negatives, self.k, self.seed = negatives, k, seed
        self.temperature, self.momentum = temperature, momentum
        self.student = nn.Linear(student_channels, size)
        self.teacher = nn.Linear(teacher_channels, size)
        bound = (size / 3) ** -0.5  # entries have length of about 1 (public code)
        generator = torch.Generator().manual_seed(seed)
        for name in ("student_bank", "teacher_bank"):
            bank = torch.empty(n_train, size).uniform_(-bound, bound, generator=generator)
            self.register_buffer(name, bank)
        self.targets = targets.clone()  # not a buffer: weight averaging could change it
        self.register_buffer("z", torch.zeros(2))  # student, teacher; 0: not yet estimated
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("fallbacks", torch.zeros(2, dtype=torch.int64))

    def forward(self, student_features: Tensor, teacher_features: Tensor, rows: Tensor) -> Tensor:
        self._check(student_features, teacher_features, rows)
        self.targets = self.targets.to(rows.device)
        with torch.autocast(student_features.device.type, enabled=False):
            v_s = F.normalize(self.student(student_features.to(self.student.weight.dtype)))
            v_t = F.normalize(self.teacher(teacher_features.to(self.teacher.weight.dtype)))
            drawn, fallbacks = draw(
                rows, self.targets, negatives=self.negatives, k=self.k, seed=self.seed,
                step=self.step,
            )  # fmt: skip
            index = torch.cat([rows[:, None], drawn], 1)
            logits = torch.stack([
                torch.einsum("bkd,bd->bk", self.teacher_bank[index], v_s),
                torch.einsum("bkd,bd->bk", self.student_bank[index], v_t),
            ]) / self.temperature  # fmt: skip
            # Summed over all processes: scores, fallbacks, anchors.
            total = torch.cat([
                logits.detach().exp().mean(2).sum(1).double(), fallbacks.double(),
                torch.tensor([len(rows)], device=rows.device, dtype=torch.float64),
            ])  # fmt: skip
            if processes() > 1:
                distributed.all_reduce(total)
            estimate = (total[:2] / total[4] * len(self.targets)).to(self.z.dtype)
            z = torch.where(self.z > 0, self.z, estimate)
            scores = logits - z.log()[:, None, None]
            loss = sum(nce(each, len(self.targets)).sum() for each in scores)
            loss = loss * (processes() / total[4]).to(self.z.dtype)
        if self.training:
            self.z.copy_(torch.where(z.isfinite(), z, self.z))
            self.fallbacks += total[2:4].long()
            self._remember(v_s, v_t, rows)
            self.step += 1
        return loss

    @torch.no_grad()
    def _remember(self, v_s: Tensor, v_t: Tensor, rows: Tensor) -> None:
        """Update the bank entries of all processes' records with their embeddings."""
        rows, v_s, v_t = gather(rows), gather(v_s), gather(v_t)
        places = torch.arange(len(rows), device=rows.device)
        # A repeated record writes its last embedding each time, so the writing order is irrelevant.
        last = torch.where(rows[:, None] == rows, places, -1).amax(1)
        for bank, v in ((self.student_bank, v_s), (self.teacher_bank, v_t)):
            old = bank[rows]
            new = F.normalize(self.momentum * old + (1 - self.momentum) * v[last])
            bank.index_copy_(0, rows, torch.where(new.isfinite().all(1, True), new, old))

    def _check(self, student: Tensor, teacher: Tensor, rows: Tensor) -> None:
        for name, features, layer in (
            ("student", student, self.student), ("teacher", teacher, self.teacher),
        ):  # fmt: skip
            if features.shape != (len(rows), layer.in_features):
                raise DataError(
                    f"{name} features must be ({len(rows)}, {layer.in_features})",
                    value=tuple(features.shape),
                )
        if rows.dtype != torch.int64 or rows.ndim != 1 or not len(rows):
            raise DataError(
                "rows must be (B,) int64 with B of at least 1",
                value=(tuple(rows.shape), str(rows.dtype)),
            )
        if int(rows.min()) < 0 or int(rows.max()) >= len(self.targets):
            raise DataError(
                f"rows must lie in [0, {len(self.targets)})",
                value=(int(rows.min()), int(rows.max())),
                remedy="Number the records by their place in the training set",
            )
