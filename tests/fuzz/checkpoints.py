"""The readers of checkpoints and splats, each with good files to damage."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from pathlib import Path

import torch

from core.formats.ply import read_ply
from core.formats.ply_writer import write_ply
from core.formats.spz import spz_bytes
from core.formats.stills import read_still
from core.official.checkpoint import load_checkpoint
from core.official.torch_splats import read_torch_splats
from tests.fuzz.case import Case, Maker
from tests.support.avatar_inputs import make_checkpoint
from tests.support.packed_splats import ksplat, packed_ply, sog
from tests.support.synthetic import random_gaussians

CFG = "Namespace(kplanes_config={'resolution': [4, 4, 4]}, d_model=64, n_head=2, no_dshs=True)"


def ply(folder: Path) -> Case:
    path = folder / "x.ply"
    write_ply(random_gaussians(20), path)
    binary = path.read_bytes()
    names = [line.split()[2].decode() for line in binary.split(b"end_header")[0].splitlines()[3:]]
    head = "ply\nformat ascii 1.0\nelement vertex 3\n"
    head += "".join(f"property float {name}\n" for name in names) + "end_header\n"
    text = head + 3 * (" ".join(["0.5"] * len(names)) + "\n")

    def read() -> None:
        read_still(path)
        read_ply(path)

    return Case(path, (binary, text.encode()), read)


def splat(folder: Path) -> Case:
    path = folder / "x.splat"
    row = struct.pack("<6f8B", 1, 2, 3, 0.1, 0.2, 0.0, 255, 128, 0, 255, 255, 128, 64, 128)
    return Case(path, (100 * row,), lambda: read_still(path))


def spz(folder: Path) -> Case:
    """The packed file, and its content in an archive that is whole."""
    path = folder / "x.spz"
    seed = spz_bytes(random_gaussians(20), 1)
    inside = gzip.decompress(seed)

    def wrapped(data: bytes) -> bytes:
        return data if data[:2] == b"\x1f\x8b" else gzip.compress(data, 1, mtime=0)

    return Case(path, (seed, inside), lambda: read_still(path), wrapped)


def packed_ply_file(folder: Path) -> Case:
    path = folder / "x.ply"
    seeds = tuple(packed_ply(random_gaussians(20), degree) for degree in (0, 1))
    return Case(path, seeds, lambda: read_still(path))


def ksplat_file(folder: Path) -> Case:
    """Without the zeros that fill its headers: half of the edits are made at the beginning."""
    path = folder / "x.ksplat"
    seeds = []
    for level in (0, 1, 2):
        whole = ksplat(random_gaussians(20), 1, level, 8)
        seeds.append(whole[:64] + whole[4096:4160] + whole[5120:])

    def wrapped(data: bytes) -> bytes:
        return data[:64].ljust(4096, b"\0") + data[64:128].ljust(1024, b"\0") + data[128:]

    return Case(path, tuple(seeds), lambda: read_still(path), wrapped)


def sog_file(folder: Path) -> Case:
    path = folder / "x.sog"
    seeds = tuple(sog(random_gaussians(20), 1, version) for version in (1, 2))
    return Case(path, seeds, lambda: read_still(path))


def sog_meta(folder: Path) -> Case:
    """meta.json, in an archive that is whole."""
    path = folder / "x.sog"
    whole = sog(random_gaussians(20), 1)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def wrapped(data: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, data if name == "meta.json" else part)
        return out.getvalue()

    return Case(path, (parts["meta.json"],), lambda: read_still(path), wrapped)


def torch_file(folder: Path) -> Case:
    checkpoint = make_checkpoint(folder / "c", cfg=CFG)
    path = checkpoint / "point_cloud" / "iteration_7" / "deformation.pth"
    return Case(path, (path.read_bytes(),), lambda: load_checkpoint(checkpoint))


def old_torch_file(folder: Path) -> Case:
    """The layout before torch 1.6, and a state inside others."""
    checkpoint = make_checkpoint(folder / "c", cfg=CFG)
    path = checkpoint / "point_cloud" / "iteration_7" / "deformation.pth"
    state = torch.load(path, weights_only=True)
    seeds = []
    for content in (state, {"model": {f"module.{name}": t for name, t in state.items()}}):
        torch.save(content, path, _use_new_zipfile_serialization=False)
        seeds.append(path.read_bytes())
    return Case(path, tuple(seeds), lambda: load_checkpoint(checkpoint))


def torch_splats(folder: Path) -> Case:
    """Of gsplat and of 3D Gaussian Splatting; without their numbers the files are small."""
    path = folder / "x.ckpt"
    shapes = {"means": 3, "scales": 3, "quats": 4, "opacities": 1, "sh0": 3}
    parts = {name: torch.zeros(5, width) for name, width in shapes.items()}
    dc, rest = parts["sh0"][:, None], torch.zeros(5, 15, 3)
    order = [parts["means"], dc, rest, parts["scales"], parts["quats"], parts["opacities"]]
    seeds = []
    for content in ({"step": 1, "splats": parts}, ((3, *order, dc, {}, 5.0), 30_000)):
        for new in (True, False):
            torch.save(content, path, _use_new_zipfile_serialization=new)
            seeds.append(path.read_bytes())
    return Case(path, tuple(seeds), lambda: read_torch_splats(path))


def torch_pickle(folder: Path) -> Case:
    """The pickle inside a torch file, in an archive that is whole."""
    checkpoint = make_checkpoint(folder / "c", cfg=CFG)
    path = checkpoint / "point_cloud" / "iteration_7" / "deformation.pth"
    whole = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    place = next(name for name in parts if name.endswith("data.pkl"))
    hostile = pickle.dumps(["x", {"a": torch.Size([2])}])

    def wrapped(data: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, data if name == place else part)
        return out.getvalue()

    return Case(path, (parts[place], hostile), lambda: load_checkpoint(checkpoint), wrapped)


def cfg_args(folder: Path) -> Case:
    checkpoint = make_checkpoint(folder / "c", cfg=CFG)
    return Case(checkpoint / "cfg_args", (CFG.encode(),), lambda: load_checkpoint(checkpoint))


READERS: dict[str, Maker] = {
    "splats (.ply)": ply,
    "splats (.splat)": splat,
    "splats (.spz)": spz,
    "splats (compressed .ply)": packed_ply_file,
    "splats (.ksplat)": ksplat_file,
    "splats (.sog)": sog_file,
    "meta.json of .sog": sog_meta,
    "PyTorch file": torch_file,
    "PyTorch file, old layout": old_torch_file,
    "PyTorch file of splats": torch_splats,
    "pickle of a PyTorch file": torch_pickle,
    "cfg_args": cfg_args,
}
