"""The content of an avatar file as plain data and as lines of text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..audio import phonetic
from ..formats.ply import read_ply
from ..network.names import HASH_LEVELS, grid_name, level_count
from ..network.numpy.hash_grid import levels_of, shared
from ..network.numpy.triplane import normalise
from ..records.arrays import Float32
from ..records.avatar import Avatar
from ..records.weights import NetworkWeights
from .file import load_avatar
from .framing import framing_camera


def summarise(path: Path) -> dict[str, Any]:
    """JSON data about an .egs or a .ply. Sizes in bytes, as they are in memory (a file saved with
    `half` is smaller on disk). Errors as the readers raise them."""
    if path.suffix.lower() == ".ply":
        gaussians = read_ply(path)
        avatar = Avatar(path.stem, gaussians, framing_camera(gaussians.means))
        camera = None
    else:
        avatar = load_avatar(path)
        camera = _camera(avatar)
    network, features = avatar.network, avatar.features
    return {
        "file": str(path),
        "bytes": path.stat().st_size,
        "sha256": avatar.content_hash or None,
        "name": avatar.name,
        "kind": "still" if network is None else network.kind,
        "gaussians": len(avatar.gaussians),
        "body_gaussians": 0 if avatar.body is None else len(avatar.body),
        "part_bytes": _part_bytes(avatar),
        "network": None
        if network is None
        else {
            "tensors": len(network.arrays),
            "values": sum(array.size for array in network.arrays.values()),
            "frozen": sorted(network.frozen),
            "tri_plane": _tri_plane(network, avatar.gaussians.means),
            "agents": network.agents,
            "heads": network.heads,
        },
        "features": None
        if features is None
        else {
            "kind": features.kind,
            "version": features.version,
            "dim": features.dim,
            "rate": features.rate,
            "window": features.window,
            "stride": features.stride,
            "pad": features.pad,
            "parameters": {k: v for k, v in features.parameters.items() if k != phonetic.OWN},
            "own_values": len(features.parameters.get(phonetic.OWN, ())) // phonetic.LAYERS,
            "normalisation": features.normalisation,
        },
        "camera": camera,
        "plates": [] if avatar.background is None else _background(avatar),
        "landmarks": avatar.landmarks is not None,
        "track_rows": 0 if avatar.track is None else len(avatar.track),
        "held": None
        if avatar.frozen_gaussians is None
        else {"rows": len(avatar.frozen_gaussians), **asdict(avatar.frozen_gaussians.measured)},
        "licence": avatar.licence,
        "provenance": dict(avatar.provenance),
    }


def _tri_plane(network: NetworkWeights, means: Float32) -> dict[str, Any]:
    """Sides of the levels; for hash tables also their rows, and the share of the vertices around
    the Gaussians that share a row."""
    arrays = network.arrays
    if HASH_LEVELS not in arrays:
        sides = [arrays[grid_name(level, 0)].shape[3] for level in range(level_count(arrays))]
        return {"kind": "dense", "sides": sides}
    levels = levels_of(arrays[HASH_LEVELS])
    shares = shared(arrays, normalise(arrays["tri_plane.grid.aabb"], means))
    return {
        "kind": "hash",
        "sides": [level.side for level in levels],
        "rows": [level.rows for level in levels],
        "shared": [round(share, 3) for share in shares],
    }


def _camera(avatar: Avatar) -> dict[str, Any]:
    camera = avatar.camera
    return {
        "width": camera.width,
        "height": camera.height,
        "focal": [camera.fx, camera.fy],
        "principal_point": [camera.cx, camera.cy],
        "centre": [round(float(v), 4) for v in camera.centre],
    }


def _background(avatar: Avatar) -> list[str]:
    torso = avatar.background is not None and avatar.background.torso is not None
    return ["background", "torso"] if torso else ["background"]


def _part_bytes(avatar: Avatar) -> dict[str, int]:
    parts = {"gaussians": sum(array.nbytes for array in vars(avatar.gaussians).values())}
    if avatar.network is not None:
        parts["network"] = sum(array.nbytes for array in avatar.network.arrays.values())
    if avatar.background is not None:
        parts["plates"] = sum(a.nbytes for a in vars(avatar.background).values() if a is not None)
    if avatar.track is not None:
        arrays = vars(avatar.track).values()
        parts["track"] = sum(array.nbytes for array in arrays if array is not None)
    if avatar.body is not None:
        parts["body"] = sum(array.nbytes for array in vars(avatar.body).values())
    return parts


def _listed(values: Iterable[object]) -> str:
    return " ".join(map(str, values))


def lines(data: dict[str, Any]) -> list[str]:
    """The data of `summarise` as lines of text."""
    parts = ", ".join(f"{name} {size / 1e6:.2f}" for name, size in data["part_bytes"].items())
    out = [
        f"{data['file']}: {data['kind']} {data['name']!r}, {data['gaussians']} Gaussians",
        f"  size        {data['bytes'] / 1e6:.2f} MB on disk; in memory (MB): {parts}",
    ]
    if network := data["network"]:
        frozen = ", ".join(network["frozen"]) or "none"
        out.append(
            f"  network     {network['values']} values in {network['tensors']} tensors, "
            f"{network['agents']} agents, frozen: {frozen}"
        )
        planes = network["tri_plane"]
        line = f"{planes['kind']}, sides {_listed(planes['sides'])}"
        if planes["kind"] == "hash":
            shares = _listed(f"{share:.0%}" for share in planes["shared"])
            line += f"; rows {_listed(planes['rows'])}; vertices that share a row: {shares}"
        out.append(f"  tri-plane   {line}")
    if spec := data["features"]:
        parameters = ", ".join(f"{key} {value}" for key, value in spec["parameters"].items())
        out.append(
            f"  features    {spec['kind']} version {spec['version']}, {spec['dim']} values at "
            f"{spec['rate']:g} Hz, windows of {spec['window']} every {spec['stride']}, "
            f"normalised: {spec['normalisation']}" + (f" ({parameters})" if parameters else "")
        )
    if camera := data["camera"]:
        out.append(
            f"  camera      {camera['width']}x{camera['height']} pixels, focal length "
            f"{camera['focal'][0]:g}, at {camera['centre']} decimetres"
        )
    body = data["body_gaussians"]
    out.append(f"  body        {f'{body} Gaussians' if body else 'none, a head alone'}")
    out.append(f"  background  {', '.join(data['plates']) or 'none'}")
    rows = data["track_rows"]
    out.append(f"  track       {f'{rows} rows, {rows / 25:g} s' if rows else 'none'}")
    out.append(f"  landmarks   {'68' if data['landmarks'] else 'none'}")
    if frozen := data["held"]:
        out.append(
            f"  frozen      {frozen['rows']} Gaussians with --approximate: {frozen['frames']} "
            f"pictures of {frozen['sound']} keep {frozen['worst']:g} dB, "
            f"{frozen['mean']:g} on average"
        )
    else:
        out.append("  frozen      not measured for --approximate")
    out.append(f"  licence     {data['licence'] or 'not stated'}")
    provenance = ", ".join(f"{key} {value}" for key, value in data["provenance"].items())
    out.append(f"  provenance  {provenance or 'not stated'}")
    if data["sha256"]:
        out.append(f"  sha256      {data['sha256']}")
    return out
