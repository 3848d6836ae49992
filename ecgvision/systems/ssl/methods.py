"""Self-supervised methods: DINO, SimCLR and BYOL.

Each method is a module separate from the branch that it trains. It holds the parts that only
training needs (an averaged teacher, a predictor, a centre), so that checkpoints include them.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from ecgvision.systems.ssl.ema import EMATeacher, cosine_momentum
from ecgvision.systems.ssl.ntxent import byol, ntxent
from ecgvision.systems.ssl.pretrain_inputs import Branch
from ecgvision.systems.ssl.projection import byol_head
from ecgvision.systems.ssl.self_distillation import DINOLoss


class MethodOutput(NamedTuple):
    """Result of a method for one batch.

    Attributes:
        loss: scalar.
        features: (B, F) features of the first view from the trained encoder, without gradient.
        assignments: (B, K) probabilities of the teacher for the same view; None if the method has
            no prototypes.
    """

    loss: Tensor
    features: Tensor
    assignments: Tensor | None


class Method(nn.Module):
    """Base class of the methods."""

    def forward(self, branch: Branch, views: Tensor) -> MethodOutput:
        """Compute the loss of views (V, B, ...)."""
        raise NotImplementedError

    def follow(self, branch: Branch, step: int, steps: int) -> None:
        """Update the method's own parts after an optimizer step; `step` of `steps` are done."""


class Dino(Method):
    """DINO (Caron et al. 2021), with the settings of Phan et al. (arXiv 2210.06297, public code).

    Args:
        branch: the trained branch; the teacher starts as its copy.
        loss: loss over pairs of views; its prototypes are the head's outputs.
        global_views: number of views that the teacher sees.
        momentum, final_momentum: momentum of the teacher at start and end, along half a cosine.
            The default is 0.996 throughout, as in Phan et al.
    """

    def __init__(
        self, branch: Branch, loss: DINOLoss, *, global_views: int, momentum: float = 0.996,
        final_momentum: float = 0.996,
    ) -> None:  # fmt: skip
        super().__init__()
        self.teacher = EMATeacher(branch, momentum)
        self.loss, self.global_views = loss, global_views
        self.momentum = (momentum, final_momentum)
        cosine_momentum(0, 1, base=momentum, final=final_momentum)  # refuses invalid values

    def forward(self, branch: Branch, views: Tensor) -> MethodOutput:
        batch = views.shape[1]
        features, said = branch(views.flatten(0, 1))
        _, asked = self.teacher(views[: self.global_views].flatten(0, 1))
        asked = asked.unflatten(0, (self.global_views, batch))
        assignments = self.loss.probabilities(asked[0])
        loss = self.loss(asked, said.unflatten(0, views.shape[:2]))
        return MethodOutput(loss, features[:batch].detach(), assignments)

    def follow(self, branch: Branch, step: int, steps: int) -> None:
        base, final = self.momentum
        self.teacher.update(branch, cosine_momentum(step, steps, base=base, final=final))


class SimClr(Method):
    """SimCLR (Chen et al. 2020).

    Args:
        temperature: see `ntxent`.
    """

    def __init__(self, *, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, branch: Branch, views: Tensor) -> MethodOutput:
        features, projections = branch(views.flatten(0, 1))
        first, second = projections.unflatten(0, views.shape[:2])
        loss = ntxent(first, second, temperature=self.temperature)
        return MethodOutput(loss, features[: views.shape[1]].detach(), None)


class Byol(Method):
    """BYOL (Grill et al. 2020).

    Args:
        branch: encoder and projector.
        outputs, hidden: sizes of the projector, and hence of the predictor.
        momentum: initial momentum of the target network; rises to 1 along half a cosine, as in the
            paper.
    """

    def __init__(
        self, branch: Branch, *, outputs: int, hidden: int, momentum: float = 0.996
    ) -> None:
        super().__init__()
        self.target = EMATeacher(branch, momentum)
        self.predictor = byol_head(outputs, outputs, hidden=hidden)
        self.momentum = momentum

    def forward(self, branch: Branch, views: Tensor) -> MethodOutput:
        batch = views.shape[1]
        flat = views.flatten(0, 1)
        features, projections = branch(flat)
        predictions = self.predictor(projections).split(batch)
        targets = self.target(flat)[1].split(batch)
        loss = byol((predictions[0], predictions[1]), (targets[0], targets[1]))
        return MethodOutput(loss, features[:batch].detach(), None)

    def follow(self, branch: Branch, step: int, steps: int) -> None:
        self.target.update(branch, cosine_momentum(step, steps, base=self.momentum))
