"""Which channels of a file make the twelve leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import RecordError
from ecgvision.core.lead_names import read_lead_name
from ecgvision.core.limb_leads import LIMB_FROM_I_II


@dataclass(frozen=True)
class LeadRows:
    """The twelve rows of a record as weighted channels.

    Attributes:
        weights: for each row that the file gives, the weight of each channel it is made from.
        copies: for each row, further channels with the same lead, and their sign.
        derived: rows that are made from other limb leads.
        notes: of leads that are negated, derived, missing, left out, or there more than once.
    """

    weights: Mapping[int, Mapping[int, float]]
    copies: Mapping[int, Sequence[tuple[int, float]]]
    derived: frozenset[int]
    notes: tuple[str, ...]

    @property
    def channels(self) -> list[int]:
        """Channels that are read, in order."""
        made = {channel for parts in self.weights.values() for channel in parts}
        return sorted(made | {channel for parts in self.copies.values() for channel, _ in parts})


def lead_rows(names: Sequence[str], path: Path) -> LeadRows:
    """Assign channels to the rows of `LEADS` by their names.

    Limb leads that are not there are derived from two that are: I, II, III, aVR, aVL and aVF are
    all sums of two of them (Einthoven 1912, Goldberger 1942). A channel that is none of the twelve
    is left out if it is a known other lead, or if all twelve are there.

    Raises:
        RecordError: if no channel is one of the twelve leads, or one has an unknown name and not
            all twelve are there.
    """
    found: dict[int, list[tuple[int, float]]] = {}
    dropped: list[str] = []
    unknown: list[tuple[str, RecordError]] = []
    for channel, name in enumerate(names):
        try:
            lead, sign = read_lead_name(name)
        except RecordError as error:
            unknown.append((name, error))
            continue
        if lead in LEADS:
            found.setdefault(LEADS.index(lead), []).append((channel, float(sign)))
        else:
            dropped.append(lead)
    if unknown and len(found) < len(LEADS):
        name, first = unknown[0]
        raise RecordError(first.what, file=path, value=name, remedy=first.remedy)
    if not found:
        raise RecordError("the record has no leads of the twelve", file=path,
                          value=", ".join(dropped) or None)  # fmt: skip
    weights = {row: {channels[0][0]: channels[0][1]} for row, channels in found.items()}
    derived = _derived(weights)
    order = [row for row, _ in sorted(weights.items(), key=lambda item: next(iter(item[1])))]
    notes = ["reordered"] if order != sorted(order) else []
    negated = [row for row, channels in found.items() if any(sign < 0 for _, sign in channels)]
    notes += [f"negated:{LEADS[row]}" for row in negated]
    notes += [f"twice:{LEADS[row]}" for row, channels in found.items() if len(channels) > 1]
    notes += [f"dropped:{name}" for name in [*dropped, *(name for name, _ in unknown)]]
    notes += [f"derived:{LEADS[row]}" for row in sorted(derived)]
    missing = [row for row in range(len(LEADS)) if row not in weights and row not in derived]
    notes += [f"missing:{LEADS[row]}" for row in missing]
    copies = {row: channels[1:] for row, channels in found.items() if len(channels) > 1}
    return LeadRows({**weights, **derived}, copies, frozenset(derived), tuple(notes))


def _derived(weights: Mapping[int, Mapping[int, float]]) -> dict[int, dict[int, float]]:
    """Return the weights of limb leads that are not there, if two others are."""
    limbs = [row for row in range(len(LIMB_FROM_I_II)) if row in weights]
    if len(limbs) < 2:
        return {}
    pair = limbs[:2]
    from_pair = LIMB_FROM_I_II.astype(float) @ np.linalg.inv(LIMB_FROM_I_II[pair].astype(float))
    made = {}
    for row in range(len(LIMB_FROM_I_II)):
        if row not in weights:
            parts: dict[int, float] = {}
            for factor, source in zip(from_pair[row].round(9).tolist(), pair, strict=True):
                for channel, sign in weights[source].items():
                    parts[channel] = factor * sign
            made[row] = {channel: w for channel, w in parts.items() if w}
    return made
