"""What a training does, in numbers: one frozen record, and the presets that fill it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..errors import ArgumentError

ARRANGEMENTS = ("paper", "official")
LEAST = {
    "static_steps": 1, "lips_steps": 0, "motion_steps": 1, "points": 64, "batch": 1, "agents": 1,
    "hidden": 1, "decoder": 1, "resolution": 2, "preview_every": 0,
}  # fmt: skip
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Losses:
    """Weights. The picture's: L1, 1 - SSIM, square error, L1 inside the lips' box. mask: L1 between
    the head's alpha and its mask. offset: mean size of what the voice moves, decimetres, so that
    only what must move does. landmark: distance of carried landmarks, pixels. perceptual: LPIPS,
    whose weights the user has to have (evaluation/lpips_weights.py); a second a frame on a CPU."""

    l1: float = 0.8
    ssim: float = 0.2
    square: float = 4.0
    lips: float = 0.4
    mask: float = 0.05
    offset: float = 0.02
    landmark: float = 0.002
    perceptual: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """arrangement: "paper" (architecture.py) or "official" (as the authors' code; `verify` reads
    it). features: kind of sound features. window: steps of a sound window, at most 16; fewer hear a
    shorter time and tell less of what they cannot know. kan, esaa, ppe, static_init: False leaves
    that part out (the paper's ablations). seed: same seed and same steps, same bits.

    *_steps: of the three stages: static (one face for all frames), lips (landmarks alone), motion.
    minutes: stop after that long, all stages scaled to it; then the steps depend on the machine.
    points: Gaussians to begin with; max_points: after densifying. batch: frames a step. agents: of
    ESAA. scale: of the pictures' sides while training. hidden, decoder: widths of the
    feed-forward layer and of the "paper" decoder. preview_every: steps; 0 for none.
    precision: of the layers that move Gaussians; their sums, the pictures and the weights stay
    float32."""

    arrangement: str = "paper"
    features: str = "phonetic"
    window: int = 8
    kan: bool = True
    esaa: bool = True
    ppe: bool = True
    static_init: bool = True
    seed: int = 0
    static_steps: int = 1500
    lips_steps: int = 1200
    motion_steps: int = 12000
    minutes: float | None = None
    points: int = 14000
    max_points: int = 20000
    batch: int = 2
    agents: int = 64
    hidden: int = 64
    decoder: int = 32
    resolution: int = 64
    scale: float = 1.0
    preview_every: int = 1000
    precision: str = "float32"
    losses: Losses = field(default_factory=Losses)

    def __post_init__(self) -> None:
        if self.arrangement not in ARRANGEMENTS:
            raise ArgumentError(
                f"arrangement {self.arrangement!r} is unknown; choose one of "
                f"{', '.join(ARRANGEMENTS)}"
            )
        if not (self.kan and self.esaa and self.ppe) and self.arrangement == "official":
            raise ArgumentError(
                "the official arrangement has all its parts; leave --no-kan, --no-esaa and "
                "--no-ppe out, or train the paper's"
            )
        if self.precision not in PRECISIONS:
            raise ArgumentError(
                f"precision {self.precision!r} is unknown; choose one of {', '.join(PRECISIONS)}"
            )
        if self.minutes is not None and not 0.05 <= self.minutes <= 10_000:
            raise ArgumentError(f"{self.minutes:g} minutes are no time to train in; give 5 or more")
        if self.seed < 0:
            raise ArgumentError(f"seed {self.seed}; give 0 or more")
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')}"
                raise ArgumentError(f"{option} {getattr(self, name)}; give {least} or more")
        if not 1 <= self.window <= 16:
            raise ArgumentError(f"a sound window of {self.window} steps; give 1 to 16")
        if not 0.05 <= self.scale <= 1:
            raise ArgumentError(f"scale {self.scale:g} of the pictures; give 0.05 to 1")


# draft: to see that a dataset works. good: on a CPU in an hour. best: for a GPU, or a night.
PRESETS = {
    "draft": TrainConfig(
        static_steps=400, lips_steps=600, motion_steps=1500, points=8000, max_points=10000,
        scale=0.5, preview_every=250,
    ),
    "good": TrainConfig(),
    "best": TrainConfig(
        static_steps=3000, lips_steps=2000, motion_steps=30000, points=30000, max_points=40000,
        batch=4, hidden=128, decoder=48,
    ),
}  # fmt: skip


def config_for(preset: str, arrangement: str = "paper") -> TrainConfig:
    """ArgumentError for an unknown preset or arrangement."""
    if preset not in PRESETS:
        raise ArgumentError(f"preset {preset!r} is unknown; choose one of {', '.join(PRESETS)}")
    config = PRESETS[preset]
    if arrangement == "official":
        # The authors' own sizes; there are no landmarks in their losses, and no lips stage.
        losses = Losses(square=0.0, mask=0.0, offset=0.0, landmark=0.0)
        return replace(
            config,
            arrangement=arrangement,
            features="log-mel",
            window=16,
            agents=200,
            hidden=128,
            lips_steps=0,
            losses=losses,
        )
    return replace(config, arrangement=arrangement)
