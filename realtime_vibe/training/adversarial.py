"""One step of the generator and one of the motion discriminator (Kocabas et al. 2020, eq. 1 and 5).

The generator is the network itself: it makes motion from a tracker's output. In the order of the
released code: one forward pass, the generator's step, then the discriminator's on the same motion.

Legend: T frames of a piece, B streams, W frames of a window, P windows.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from realtime_vibe.models.feedback_regressor import Estimates
from realtime_vibe.models.motion_discriminator import (
    MotionDiscriminator,
    Representation,
    body_motion,
)
from realtime_vibe.models.motion_network import LandmarkMotionNetwork
from realtime_vibe.models.regressor import RegressorOutput
from realtime_vibe.training.learner import Learner
from realtime_vibe.training.losses import (
    Objective,
    adversarial_loss,
    discriminator_loss,
    parameter_loss,
    supervised_losses,
)
from realtime_vibe.training.samples.sequences import SequenceBatch

PAIR_EVERY = 8
EARLY_SHARE = 0.3
"""Of the parameters' losses of all iterations but the last."""


class FramePlan(NamedTuple):
    """Which frames of a piece are regressed, since neighbours say nearly the same."""

    first_pair: int | None = None
    """Two neighbouring frames of every `PAIR_EVERY` from this one on are supervised; None: all."""
    window: tuple[slice, Tensor] | None = None
    """Frames, and the (P,) streams that go to the discriminator; None: there is no window."""


class Generated(NamedTuple):
    """What the network says about a piece."""

    iterations: Estimates
    """Of the supervised frames, (2, K * B, ...) when pairs are, else (T, B, ...)."""
    window_rotmat: Tensor | None
    """(W, P, 24, 3, 3)."""
    hidden: Tensor | None
    """(L, B, H) after the last frame."""


class GeneratorPass(nn.Module):
    """The network's work in one step as one forward pass, which is what `DistributedDataParallel` wraps."""

    def __init__(self, network: LandmarkMotionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, hidden: Tensor | None, plan: FramePlan) -> Generated:
        """Encodes all frames, regresses the planned ones in one go.

        Args:
            features: (T, B, F).
            hidden: (L, B, H); None leaves the recurrent encoder out and looks at each frame alone.
        """
        encoded = self.network.embedding(features)
        if hidden is not None:
            encoded, hidden = self.network.encoder(encoded, hidden)
        chosen, seen = encoded, features
        if plan.first_pair is not None:
            chosen = frame_pairs(encoded, plan.first_pair)
            seen = frame_pairs(features, plan.first_pair)
        iterations = self.network.regressor.iterations(chosen, seen)
        if plan.window is None:
            return Generated(iterations, None, hidden)
        judged = self.network.regressor(encoded[plan.window], features[plan.window])
        return Generated(iterations, judged.rotmat, hidden)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """What a generator step needs besides the data."""

    passes: nn.Module
    """A `GeneratorPass`, perhaps wrapped."""
    learner: Learner
    objective: Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversary:
    """The discriminator with its optimizer."""

    network: MotionDiscriminator
    wrapped: nn.Module
    """The same network, perhaps wrapped for several processes."""
    learner: Learner
    representation: Representation
    weight: float
    """Of the discriminator's own loss; the released code scales it as the generator's term."""


class GeneratorResult(NamedTuple):
    """A generator step's losses and what it hands on, cut from the graph."""

    terms: dict[str, Tensor]
    """Before weighting: those of `LossTerms`, and `adversarial` where a window was judged."""
    window_rotmat: Tensor | None
    """(W, P, 24, 3, 3)."""
    hidden: Tensor | None
    """(L, B, H)."""


def generator_step(
    generator: Generator,
    piece: SequenceBatch,
    hidden: Tensor | None,
    plan: FramePlan,
    adversary: Adversary | None = None,
    adversarial_weight: float = 0.0,
) -> GeneratorResult:
    """One gradient step of the network; the discriminator is asked but not changed.

    Args:
        generator: the network in training mode and what it learns with.
        piece: (T, B, ...) on the network's device.
        hidden: (L, B, H), or None to look at each frame alone.
        plan: which frames to supervise and to judge.
        adversary: judges the plan's windows; None leaves L_adv out.
        adversarial_weight: of L_adv.
    """
    with generator.learner.precision.autocast():
        generated: Generated = generator.passes(piece.features, hidden, plan)
    truth = piece
    if plan.first_pair is not None:
        truth = SequenceBatch(*(frame_pairs(part, plan.first_pair) for part in piece))
    objective = generator.objective
    last = _in_single(generated.iterations.last)
    joints, landmarks = (part.float() for part in generated.iterations.posed)
    supervised = supervised_losses(last, joints, landmarks, truth, objective.form)
    terms, loss = supervised.by_name(), supervised.total(objective.weights)
    for early in generated.iterations.early:
        loss = loss + EARLY_SHARE * parameter_loss(_in_single(early), truth, objective)
    if adversary is not None and generated.window_rotmat is not None:
        adversary.network.requires_grad_(False)
        terms["adversarial"] = adversarial_loss(
            _scores(adversary, adversary.network, generated.window_rotmat)
        )
        adversary.network.requires_grad_(True)
        loss = loss + adversarial_weight * terms["adversarial"]
    generator.learner.descend(loss)
    return GeneratorResult(
        terms={name: value.detach() for name, value in terms.items()},
        window_rotmat=_detached(generated.window_rotmat),
        hidden=_detached(generated.hidden),
    )


def discriminator_step(
    adversary: Adversary, real_rotmat: Tensor, fake_rotmat: Tensor
) -> dict[str, Tensor]:
    """One gradient step of the discriminator on real and fake motion (W, P, 24, 3, 3), which stays as it is.

    Gives what it was before the step: the loss `discriminator`, the mean `score_real` of D(real), where 1 is wanted, and
    `score_fake` of D(fake), where 0 is wanted and 1 found when the generator fools it.
    """
    motion = torch.cat([real_rotmat, fake_rotmat.detach()], dim=1)
    scores = _scores(adversary, adversary.wrapped, motion)
    real, fake = scores.tensor_split([real_rotmat.shape[1]])
    loss = discriminator_loss(real, fake)
    adversary.learner.descend(adversary.weight * loss)
    return {
        "discriminator": loss.detach(),
        "score_real": real.detach().mean(),
        "score_fake": fake.detach().mean(),
    }


def frame_pairs(values: Tensor, first: int) -> Tensor:
    """Picks two neighbouring frames of every `PAIR_EVERY`: (T, B, ...) to (2, K * B, ...).

    The encoder runs over all frames, but neighbours say nearly the same, so regressor, body and
    losses look at these only; a pair has a movement between its frames.
    """
    starts = torch.arange(first, values.shape[0] - 1, PAIR_EVERY, device=values.device)
    return torch.stack([values[starts], values[starts + 1]]).flatten(1, 2)


def _in_single(params: RegressorOutput) -> RegressorOutput:
    return RegressorOutput(*(part.float() for part in params))


def _scores(adversary: Adversary, network: nn.Module, rotmat: Tensor) -> Tensor:
    motion = body_motion(rotmat.float(), adversary.representation)
    with adversary.learner.precision.autocast():
        scores: Tensor = network(motion)
    return scores.float()


def _detached(value: Tensor | None) -> Tensor | None:
    return None if value is None else value.detach().float()
