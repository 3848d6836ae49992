"""The LightningModule that all systems share: steps, metrics and optimizer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn

from ecgvision.nn.training.auroc import MacroAUROC
from ecgvision.nn.training.optimizer import OptimizerSettings, make_optimizer

Batch = dict[str, Tensor]


class BaseTask(L.LightningModule):
    """A model with its losses and validation metrics.

    Args:
        model: a plain `nn.Module`.
        streams: names of the logits that are evaluated.
        optimizer: settings of the optimizer.
        seed: seed of dropout and all other randomness in the network. The generator is re-seeded
            every step, so that a resumed run continues as if it had not stopped.
    """

    def __init__(
        self, model: nn.Module, streams: Sequence[str], *, optimizer: OptimizerSettings,
        seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.model = model
        self.streams = tuple(streams)
        self.settings, self.seed = optimizer, seed
        self.label_hash = ""  # of the label scheme of the outputs; saved in every checkpoint
        self.auroc = nn.ModuleDict({stream: MacroAUROC() for stream in self.streams})

    @property
    def _ddp_params_and_buffers_to_ignore(self) -> list[str]:
        """Buffers that DistributedDataParallel does not broadcast before every step.

        DistributedDataParallel reads this attribute by name. It lists the buffers in `EQUAL` of
        each module, which that module itself keeps equal over processes. Running statistics of
        batch norms are not among them.
        """
        return [
            f"{place}.{buffer}"
            for place, module in self.named_modules()
            for buffer in getattr(module, "EQUAL", ())
        ]

    @abstractmethod
    def compute(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the logits by stream, and the named terms whose sum is the loss."""

    def _shared_step(self, batch: Batch, stage: str) -> Tensor:
        logits, parts = self.compute(batch)
        loss = torch.stack(list(parts.values())).sum()
        size = len(batch["target"])
        values = {f"{stage}/{name}": part.detach() for name, part in parts.items()}
        values[f"{stage}/loss"] = loss.detach()
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        if stage == "val":
            for stream in self.streams:
                metric = self.auroc[stream]
                metric.update(logits[stream], batch["target"])  # type: ignore[operator]
                self.log(f"val/{stream}_auroc", metric, on_epoch=True, prog_bar=True)  # type: ignore[arg-type]
        return loss

    def on_train_start(self) -> None:
        if self.trainer.fit_loop.restarted_mid_epoch:  # Lightning leaves this out there
            self.on_train_epoch_start()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        parts = [self.seed, self.current_epoch, batch_idx, self.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(parts).generate_state(1)[0]))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self._shared_step(batch, "train")
        self.log("loss", loss.detach(), prog_bar=True, logger=False)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._shared_step(batch, "val")

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        logits, _ = self.compute(batch)
        out = {stream: logits[stream].float() for stream in self.streams}
        return out | {key: batch[key] for key in ("index", "layout", "artefact", "target")}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["label_hash"] = self.label_hash

    @property
    def _fused(self) -> bool:
        """Whether the fused optimizer may be used.

        Not with gradient scaling: a fused optimizer would unscale only after the clipping.
        """
        return self.trainer.precision != "16-mixed"

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm of the gradients.

        Done here because Lightning refuses all fused optimizers in mixed precision.
        """
        if not self._fused:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_val:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def configure_optimizers(self) -> Any:
        steps = int(self.trainer.estimated_stepping_batches)
        return make_optimizer(self, steps, self.settings, fused=self._fused)
