"""The settings of a training: one frozen record, and its presets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..errors import ArgumentError

ARRANGEMENTS = ("paper", "official")
LEAST = {
    "static_steps": 1, "lips_steps": 0, "motion_steps": 1, "points": 64, "batch": 1, "agents": 1,
    "hidden": 1, "decoder": 1, "resolution": 2, "preview_every": 0, "body_steps": 1,
    "body_points": 64,
}  # fmt: skip
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Losses:
    """Weights of the losses. l1, ssim (1 - SSIM), square and lips (L1 inside the lips' box) compare
    pictures. mask: L1 between the head's alpha and its mask. offset: mean displacement by speech,
    decimetres, so that Gaussians move only if they must. landmark: Huber distance of projected
    landmark points, pixels. surface: distance of the Gaussians from the head's first surface
    (surface.py), decimetres. perceptual: LPIPS, whose network weights the user must provide
    (metrics/lpips_weights.py); it takes a second a frame on a CPU."""

    l1: float = 0.8
    ssim: float = 0.2
    square: float = 4.0
    lips: float = 0.4
    mask: float = 0.05
    offset: float = 0.02
    landmark: float = 0.002
    surface: float = 0.1
    perceptual: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """arrangement: "paper" (network/architecture.py) or "official" (as the authors' code, which
    `verify` compares with). features: kind of audio features. window: steps of an audio window, 1
    to 16; a shorter window overfits less to the clip. kan, esaa, ppe, hash, static_init: False
    leaves that part out (the paper's ablations; the official arrangement always has dense planes
    in place of hash tables). body: False leaves neck and shoulders a flat picture behind the head.
    mouth: the sound reaches the network as numbers of the mouth's shape (mouth.py), if the features
    are computed here; never in the official arrangement. seed: same seed and steps give the same
    bits.

    *_steps: of the stages: static (one face for all frames), lips (landmarks alone), motion, body.
    minutes: stop after that long, all stages scaled to it; the steps then depend on the machine.
    points: initial Gaussians; max_points: limit after densification; body_points: of the body.
    batch: frames a step. agents: of ESAA. scale: of the pictures' sides in training. hidden,
    decoder: widths of the feed-forward layer and of the "paper" decoder. resolution: of the
    tri-plane. preview_every: steps, 0 for none. precision: of the layers that move Gaussians; sums,
    pictures and weights stay float32."""

    arrangement: str = "paper"
    features: str = "phonetic"
    window: int = 8
    kan: bool = True
    esaa: bool = True
    ppe: bool = True
    hash: bool = True
    static_init: bool = True
    body: bool = True
    mouth: bool = True
    seed: int = 0
    static_steps: int = 1500
    lips_steps: int = 1200
    motion_steps: int = 12000
    body_steps: int = 600
    minutes: float | None = None
    points: int = 9000
    max_points: int = 13000
    body_points: int = 8000
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
                "the official arrangement always has all parts; leave out --no-kan, --no-esaa and "
                "--no-ppe, or train the paper's arrangement"
            )
        if self.precision not in PRECISIONS:
            raise ArgumentError(
                f"precision {self.precision!r} is unknown; choose one of {', '.join(PRECISIONS)}"
            )
        if self.minutes is not None and not 0.05 <= self.minutes <= 10_000:
            raise ArgumentError(
                f"{self.minutes:g} minutes is not within 0.05 to 10000; give at least 5"
            )
        if self.seed < 0:
            raise ArgumentError(f"seed {self.seed} is negative; give 0 or more")
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')}"
                raise ArgumentError(
                    f"{option} {getattr(self, name)} is too small; give {least} or more"
                )
        if not 1 <= self.window <= 16:
            raise ArgumentError(
                f"audio window of {self.window} steps is out of range; give 1 to 16"
            )
        if not 0.05 <= self.scale <= 1:
            raise ArgumentError(f"picture scale {self.scale:g} is out of range; give 0.05 to 1")


# draft: to check a dataset. good: half an hour on two cores. best: for a GPU, or a night.
PRESETS = {
    "draft": TrainConfig(
        static_steps=400, lips_steps=600, motion_steps=1500, points=8000, max_points=10000,
        body_steps=200, body_points=5000, scale=0.5, preview_every=250,
    ),
    "good": TrainConfig(),
    "best": TrainConfig(
        static_steps=3000, lips_steps=2000, motion_steps=30000, points=30000, max_points=40000,
        batch=4, hidden=128, decoder=48, body_steps=1500, body_points=10000,
    ),
}  # fmt: skip


def config_for(preset: str, arrangement: str = "paper") -> TrainConfig:
    """The settings of a preset. ArgumentError for an unknown preset or arrangement."""
    if preset not in PRESETS:
        raise ArgumentError(f"preset {preset!r} is unknown; choose one of {', '.join(PRESETS)}")
    config = PRESETS[preset]
    if arrangement == "official":
        # The authors' own sizes; their losses have no landmarks, so there is no lips stage.
        losses = Losses(square=0.0, mask=0.0, offset=0.0, landmark=0.0, surface=0.0)
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
