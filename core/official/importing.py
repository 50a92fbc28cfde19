"""Import an official output folder, or splats of a still, with a dataset folder, as an avatar."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..avatar.file import sound_values
from ..avatar.framing import framing_camera, head_camera
from ..dataset.features import choose_features
from ..dataset.load import load_dataset
from ..errors import ArgumentError
from ..formats.cloud import cloud_of
from ..formats.mended import mended
from ..formats.splat_kinds import SUFFIXES
from ..formats.stills import Still, read_still
from ..records.avatar import Avatar
from ..system.names import printable
from .checkpoint import WEIGHTS, load_checkpoint
from .torch_splats import SUFFIXES as TORCH_SUFFIXES
from .torch_splats import read_torch_splats
from .upright import upright


@dataclass(frozen=True)
class ImportOptions:
    """dataset: folder with background, poses and eyes. iteration: None for the largest fine one.
    torso_frame: frame of the torso image, None for the first. features and feature_stats: as in
    `features.choose_features`. name: of the avatar; the source's own if empty. axes and unit: of a
    still, see `upright.py`; "auto" is what its file says, or its kind."""

    dataset: Path | None = None
    iteration: int | None = None
    torso_frame: int | None = None
    features: str = "auto"
    feature_stats: Path | None = None
    name: str = ""
    licence: str = ""
    axes: str = "auto"
    unit: str = "auto"


def import_avatar(source: str | Path, options: ImportOptions) -> tuple[Avatar, tuple[str, ...]]:
    """(avatar, notes): notes say in one line each what was absent or assumed. Errors as the
    modules that read the parts raise them."""
    source = Path(source)
    if options.torso_frame is not None and options.dataset is None:
        raise ArgumentError("a torso frame needs the dataset folder that it is in; give both")
    if not source.is_dir() and source.name != WEIGHTS:
        suffix = source.suffix.lower()
        if suffix in (*SUFFIXES, *TORCH_SUFFIXES):
            _check_still(options)
            return _still(source, options, _read(source, suffix in TORCH_SUFFIXES))
    if (options.axes, options.unit) != ("auto", "auto"):
        raise ArgumentError("axes and unit are of a still alone; a checkpoint has its own")
    checkpoint = load_checkpoint(source, options.iteration)
    network = checkpoint.network
    features = choose_features(
        options.features, sound_values(network), options.dataset, options.feature_stats
    )
    notes = list(checkpoint.notes)
    if options.features == "auto" and features.kind == "deepspeech":
        notes.append(
            "sound features are assumed to be DeepSpeech's; name the kind if they are others"
        )
    camera, images, track = head_camera(), None, None
    if options.dataset is not None:
        dataset = load_dataset(options.dataset, options.torso_frame)
        camera, images, track = dataset.camera, dataset.background, dataset.track
        notes += dataset.notes
    avatar = Avatar(
        name=printable(options.name or source.resolve().name),
        gaussians=checkpoint.gaussians,
        camera=camera,
        network=network,
        features=features,
        background=images,
        track=track,
        licence=options.licence,
        provenance=checkpoint.provenance,
    )
    return avatar, tuple(notes)


def _check_still(options: ImportOptions) -> None:
    if options.iteration is not None or options.features != "auto" or options.feature_stats:
        raise ArgumentError("a still has no iterations and no sound features; leave those out")


def _read(source: Path, torch: bool) -> Still:
    if not torch:
        return read_still(source)
    gaussians, notes = mended(cloud_of(read_torch_splats(source)), source)
    return Still(gaussians, notes, "y-up", "decimetre")


def _still(source: Path, options: ImportOptions, still: Still) -> tuple[Avatar, tuple[str, ...]]:
    axes = still.axes if options.axes == "auto" else options.axes
    unit = still.unit if options.unit == "auto" else options.unit
    gaussians, turned = upright(still.gaussians, axes, unit)
    camera, images, track = framing_camera(gaussians.means), None, None
    notes = ("no network: a still head that does not speak", *still.notes, *turned)
    if options.dataset is not None:
        dataset = load_dataset(options.dataset, options.torso_frame)
        camera, images, track = dataset.camera, dataset.background, dataset.track
        notes += dataset.notes
    avatar = Avatar(
        name=printable(options.name or source.stem),
        gaussians=gaussians,
        camera=camera,
        background=images,
        track=track,
        licence=options.licence,
        provenance={"source": source.suffix.lower()},
    )
    return avatar, notes
