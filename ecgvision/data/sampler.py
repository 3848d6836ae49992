"""Order of records as a function of (seed, epoch), independent of the number of workers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class EpochSampler(Sampler[tuple[int, int]]):
    """Sampler that yields (epoch, position), so that a record's randomness can depend on both.

    Lightning calls `set_epoch` before each epoch. The epoch is yielded with the position so that it
    reaches workers that live longer than an epoch.

    Args:
        length: number of records.
        seed: seed of the shuffling.
        shuffle: a new order every epoch; otherwise 0, 1, 2, …
        rank, world: this process's share under distributed training. Shuffled shares have equal
            length (the epoch's last records, fewer than `world`, are left out); unshuffled shares
            hold every record once.
    """

    def __init__(
        self, length: int, *, seed: int, shuffle: bool, rank: int = 0, world: int = 1
    ) -> None:
        self.length, self.seed, self.shuffle = length, seed, shuffle
        self.rank, self.world = rank, world
        self.epoch, self.done = 0, (0, 0)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def resume(self, epoch: int, records: int) -> None:
        """Go on within an epoch after its first records; later epochs are complete.

        The length stays that of a whole epoch.
        """
        self.epoch, self.done = epoch, (epoch, records)

    def __len__(self) -> int:
        if self.shuffle:
            return self.length // self.world
        return len(range(self.rank, self.length, self.world))

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.arange(self.length)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
            order = order[: len(self) * self.world]
        epoch = self.epoch if self.shuffle else 0
        resumed, records = self.done
        for position in order[self.rank :: self.world][records if resumed == self.epoch else 0 :]:
            yield epoch, int(position)
