"""PatchECG: a transformer over the observed patches of a record.

Zhang et al., arXiv 2508.09165, and its public code. Each lead is cut into patches. A patch with an
observed sample becomes a token; a patch without one has no token. One network thus reads all
layouts.

Intended differences from the public code: its attention mask is inverted
(`official_uniform_attention` restores this); its rules for a missing patch differ between training
and evaluation; and its patch encoder, including batch norm, also sees missing patches. Here a patch
is always missing if none of its samples is observed. Only present patches are encoded, so batch
statistics exclude missing ones.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ecgvision.core.ecg import LEADS
from ecgvision.core.errors import ConfigError, DataError
from ecgvision.nn.token_network import TokenNetwork
from ecgvision.systems.patchecg.masked_transformer import MaskedTransformer
from ecgvision.systems.patchecg.patch_encoders import patch_encoder as make_patch_encoder
from ecgvision.systems.patchecg.s3 import S3

Shuffle = Literal["none", "before_cls", "official"]


class PatchEmbedding(nn.Module):
    """Learned position embeddings of the tokens: per lead and per time, or one for each patch.

    Shape:
        result of `forward()`: (leads * patches, width), lead by lead.
    """

    def __init__(
        self, leads: int, patches: int, width: int, *, lead: bool, time: bool, joint: bool
    ) -> None:
        super().__init__()
        shapes = [(leads, patches)] if joint else [(leads, 1)] * lead + [(1, patches)] * time
        self.shape = (leads, patches, width)
        # Standard deviation 0.02: PatchECG's public code, after ViT.
        self.parts = nn.ParameterList(
            nn.init.trunc_normal_(nn.Parameter(torch.empty(*shape, width)), std=0.02)
            for shape in shapes
        )

    def forward(self) -> Tensor | float:
        if not len(self.parts):
            return 0.0
        return sum(part.expand(self.shape) for part in self.parts).flatten(0, 1)


class PatchECG(TokenNetwork):
    """Patch encoder, position embeddings, optional S3, transformer with CLS token, linear head.

    The defaults are the paper's sizes. S3 is off by default because it mixes tokens over the
    complete page: the tokens of a record then depend on where patches are missing.

    Args:
        labels: number of labels C.
        leads, patches, patch_length: the grid of patches. 15 patches of 64 samples are ten
            seconds at 100 Hz without the last 0.4.
        width, depth, heads: sizes of the transformer.
        patch_encoder: see `patch_encoders.patch_encoder`.
        s3: `none`; `before_cls`, over the patches, with missing ones reset to 0; `official`, over
            CLS and patches as in the public code, where missing tokens become nonzero and the
            first five tokens, including CLS, are left out.
        lead_embedding, time_embedding: which embeddings are learned.
        joint_embedding: one embedding for each patch of the grid instead of the two.
        official_uniform_attention: every token attends to all present ones equally. With s3
            `official` no token is 0, so the entire grid counts as present, as in the public code.
        packed: default of the argument of `forward`.

    Shape:
        value: (B, leads, patches, patch_length) float mV, any value where not observed;
        observed: the same shape, bool. Result: `{"patches": (B, C) logits}`.

    Raises:
        ConfigError: for invalid settings.
        DataError: for another shape or type of input, a record without an observed sample, or an
            observed value that is not finite; names the first such row of the batch.
    """

    token_per_patch = True

    def __init__(
        self,
        labels: int,
        *,
        leads: int = len(LEADS),
        patches: int = 15,
        patch_length: int = 64,
        width: int = 768,
        depth: int = 3,
        heads: int = 8,
        patch_encoder: str = "net1d",
        s3: Shuffle = "none",
        lead_embedding: bool = True,
        time_embedding: bool = True,
        joint_embedding: bool = False,
        dropout: float = 0.0,
        official_uniform_attention: bool = False,
        packed: bool = False,
    ) -> None:
        super().__init__()
        sizes = {"labels": labels, "leads": leads, "patches": patches, "depth": depth}
        sizes["patch_length"] = patch_length
        for name, size in sizes.items():
            if size < 1:
                raise ConfigError(f"model.{name} must be at least 1", value=size)
        if s3 not in get_args(Shuffle):
            raise ConfigError(f"model.s3 must be one of {get_args(Shuffle)}", value=s3)
        if not 0 <= dropout < 1:
            raise ConfigError("model.dropout must lie in [0, 1)", value=dropout)
        self.grid = (leads, patches, patch_length)
        self.s3, self.uniform, self.packed = s3, official_uniform_attention, packed
        inside: dict[str, Any] = {"depth": depth, "heads": heads, "dropout": dropout}
        self.transformer = MaskedTransformer(width, uniform=official_uniform_attention, **inside)
        self.encoder = make_patch_encoder(patch_encoder, patch_length, width)
        self.embedding = PatchEmbedding(
            leads, patches, width, lead=lead_embedding, time=time_embedding, joint=joint_embedding
        )
        self.shuffle = S3(published=s3 == "official") if s3 != "none" else None
        self.cls = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, width), std=0.02))
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(width, labels)
        self.token_width = width

    def forward(
        self, value: Tensor, observed: Tensor, packed: bool | None = None
    ) -> dict[str, Tensor]:
        """Return the logits; `packed` skips missing tokens, with the same result."""
        return self.decide(*self.tokens(value, observed), packed=packed)

    def tokens(self, value: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedded patches, 0 where missing, and the mask of present ones.

        Shape:
            result: (B, leads * patches, width) and (B, leads * patches) bool.

        Raises:
            DataError: as `forward`.
        """
        self._check(value, observed)
        present = observed.any(-1).flatten(1)  # (B, N)
        return self._tokens(value, observed, present), present

    def decide(
        self, tokens: Tensor, present: Tensor, packed: bool | None = None
    ) -> dict[str, Tensor]:
        """Return the logits of `tokens`."""
        tokens, present = self._sequence(tokens, present)
        if self.packed if packed is None else packed:
            return {"patches": self.head(self.transformer.packed(tokens, present))}
        return {"patches": self.head(self.transformer(tokens, present))}

    def dense(self, value: Tensor, observed: Tensor) -> dict[str, Tensor]:
        """Return the logits of `forward` without data-dependent control flow, for export.

        All patches are encoded, missing or not, and the input is not checked.

        Raises:
            ConfigError: in training mode, where missing patches would enter batch statistics.
        """
        if self.training:
            raise ConfigError("patches are encoded densely in evaluation only")
        present = observed.any(-1).flatten(1)
        clean = torch.where(observed, value, 0.0).flatten(1, 2)
        masks = observed.flatten(1, 2)
        encoded = self.encoder(clean.flatten(0, 1), masks.flatten(0, 1))
        tokens = encoded.unflatten(0, clean.shape[:2]) + self.embedding()
        return self.decide(torch.where(present[..., None], tokens, 0.0), present, packed=False)

    def _tokens(self, value: Tensor, observed: Tensor, present: Tensor) -> Tensor:
        """Return the embedded patches, (B, N, width), 0 where missing."""
        row, place = present.nonzero(as_tuple=True)
        clean = torch.where(observed, value, 0.0)
        encoded = self.encoder(
            clean.flatten(1, 2)[row, place], observed.flatten(1, 2)[row, place]
        )  # (number of present patches, width)
        where = self.embedding()
        encoded = encoded + (where[place] if isinstance(where, Tensor) else where)
        empty = encoded.new_zeros(*present.shape, encoded.shape[-1])
        return empty.index_put((row, place), encoded)

    def _sequence(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return CLS and tokens after S3, (B, 1 + N, width), and the mask of present ones."""
        if self.shuffle is not None and self.s3 == "before_cls":
            x = self.shuffle(x, present)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1).to(x.dtype), x], dim=1)
        present = torch.cat([present.new_ones(x.shape[0], 1), present], dim=1)
        if self.shuffle is not None and self.s3 == "official":
            x = self.shuffle(x)
            if self.uniform:
                present = torch.ones_like(present)
        return self.drop(x), present

    def _check(self, value: Tensor, observed: Tensor) -> None:
        if value.shape[1:] != self.grid or observed.shape != value.shape:
            raise DataError(
                f"patches and mask must have shape (B, {', '.join(map(str, self.grid))})",
                value=(tuple(value.shape), tuple(observed.shape)),
            )
        if observed.dtype != torch.bool:
            raise DataError("the mask of observed samples must be bool", value=observed.dtype)
        if empty := _rows(~observed.flatten(1).any(1)):
            raise DataError(
                f"no sample of batch row {empty[0]} is observed",
                value=empty,
                remedy="Leave out records that the layout shows nothing of",
            )
        if broken := _rows((observed & ~value.isfinite()).flatten(1).any(1)):
            raise DataError(
                f"an observed sample of batch row {broken[0]} is not finite",
                value=broken,
                remedy="Mark samples that are NaN as not observed",
            )


def _rows(wrong: Tensor) -> list[int]:
    return wrong.nonzero().flatten().tolist()
