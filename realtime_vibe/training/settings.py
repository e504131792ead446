"""The numbers of a training run; together with the data and the seed they decide its weights."""

from dataclasses import dataclass, field

from realtime_vibe.errors import ConfigError
from realtime_vibe.models.motion_discriminator import Representation
from realtime_vibe.training.learner import PrecisionName
from realtime_vibe.training.losses import Objective
from realtime_vibe.training.network import NetworkSize


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscriminatorSettings:
    """The motion discriminator and how it learns.

    The released one has 1024 units in two layers, reads axis-angle and learns at 1e-4. Ours judges a
    network a tenth as large and costs about a seventh of a step.
    """

    representation: Representation = "rot6d_change"
    hidden: int = 128
    layers: int = 1
    attention_layers: int = 3
    dropout: float = 0.2
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    window_frames: int = 16
    num_windows: int = 8
    """Generated windows judged in a step, and as many real ones."""
    rise_steps: int = 500
    """Steps over which L_adv rises to its weight: at first the discriminator knows nothing."""


RELEASED_DISCRIMINATOR = DiscriminatorSettings(
    representation="axis_angle", hidden=1024, layers=2, learning_rate=1e-4, rise_steps=1
)
"""Of the published weights, which know what they judge from the first step on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """The recipe. Stages are counted in steps, so that a resumed run equals one that never stopped."""

    steps: int = 40_000
    per_frame_share: float = 0.3
    """Part of the steps spent on single frames."""
    frames_per_step: int = 1024
    chunk_frames: int = 32
    learning_rate: float = 1.2e-3
    warmup_steps: int = 200
    ema_decay: float = 0.998
    seed: int = 7
    keep_chance: float = 0.5
    """Of a new stream to begin with the state of an unrelated one."""
    window_chance: float = 0.2
    """Of a stream to begin a piece with no state, as a window that is run anew for each frame does."""
    objective: Objective = field(default_factory=Objective)
    discriminator: DiscriminatorSettings | None = field(default_factory=DiscriminatorSettings)
    """None trains without L_adv."""
    size: NetworkSize = field(default_factory=NetworkSize)
    precision: PrecisionName = "auto"
    curve_every: int = 20
    checkpoint_every_s: float = 240.0

    def __post_init__(self) -> None:
        for name in ("per_frame_share", "keep_chance", "window_chance"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}, expected 0 to 1")
        if self.steps < 1:
            raise ConfigError(f"steps is {self.steps}, expected 1 or more")
        window = 2 if self.discriminator is None else self.discriminator.window_frames
        if self.chunk_frames < window:
            raise ConfigError(
                f"chunk_frames is {self.chunk_frames}, expected at least the discriminator's "
                f"window of {window}"
            )

    @property
    def frame_steps(self) -> int:
        """Steps of the first stage."""
        return round(self.steps * self.per_frame_share)
