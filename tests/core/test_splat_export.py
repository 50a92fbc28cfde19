"""The export of the driven head: what is written, skipped, refused and left behind."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.avatar.file import save_avatar
from core.cli import main
from core.engine.builtin import BuiltinEngine
from core.engine.fake import FakeEngine
from core.errors import ArgumentError, EgsError, InputError
from core.formats.ply import read_ply
from core.network.deformer import splats_at
from core.network.numpy.folded_network import prepare
from core.records.avatar import Avatar
from core.records.gaussians import activate
from core.records.moment import Moment
from core.records.splat_job import SplatJob, SplatTask, bytes_a_frame
from core.render.place import Y_DOWN, moved
from core.splat_export.loop import export_splats
from tests.support.avatar_inputs import small_avatar
from tests.support.events import events_of
from tests.support.splat_files import placed, read_glb, read_spz
from tests.support.synthetic import random_body, random_pose
from tests.support.talking import sound

FORMATS = ("ply", "glb", "spz")


@pytest.fixture(scope="module")
def egs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Avatar]:
    path = tmp_path_factory.mktemp("avatar") / "a.egs"
    avatar = small_avatar()
    return path, replace(avatar, content_hash=save_avatar(avatar, path))


def job_of(egs: tuple[Path, Avatar], path: Path, frames: range = range(2, 5)) -> SplatJob:
    tasks = [SplatTask(n, Moment(0.04 * n, 0.2, random_pose(n)), placed(0.1 * n)) for n in frames]
    kind = path.suffix[1:]
    return SplatJob(egs[0], egs[1].content_hash, sound(), tuple(tasks), path, kind)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_file_of_a_sequence_is_the_head_at_its_moment(egs, tmp_path: Path) -> None:
    job = job_of(egs, tmp_path / "new" / "head.ply")
    steps = list(export_splats(job, BuiltinEngine("numpy")))
    assert [step.number for step in steps if step.number] == [2, 3, 4]
    assert names(tmp_path / "new") == ["head0002.ply", "head0003.ply", "head0004.ply"]
    deformer = prepare(egs[1].network, egs[1].gaussians)
    for task in job.frames:
        splats = splats_at(deformer, job.voice, task.moment)
        expected = moved(splats, Y_DOWN @ task.place)
        path = job.path_of(task)
        found = activate(read_ply(path))
        for name, values in vars(expected).items():
            np.testing.assert_allclose(getattr(found, name), values, rtol=1e-5, atol=1e-6)
        head = path.read_bytes()[:1024]
        assert b"y down" in head
        size = path.stat().st_size - path.read_bytes().index(b"end_header\n") - 11
        assert size == bytes_a_frame("ply", len(splats), 3)


def test_the_body_of_a_bust_stands_still_while_the_head_turns(tmp_path: Path) -> None:
    path, body = tmp_path / "bust.egs", random_body()
    avatar = replace(small_avatar(), body=body)
    avatar = replace(avatar, content_hash=save_avatar(avatar, path))
    job = job_of((path, avatar), tmp_path / "bust.ply")
    job = replace(job, frames=tuple(replace(t, place=placed(0.1)) for t in job.frames))
    list(export_splats(job, BuiltinEngine("numpy")))
    means = [read_ply(job.path_of(task)).means[-len(body) :] for task in job.frames]
    expected = moved(activate(body.gaussians()), Y_DOWN @ placed(0.1)).means
    free = body.weights == 0
    for found in means:
        np.testing.assert_allclose(found[free], expected[free], atol=1e-5)
    assert np.abs(means[0] - means[1])[body.weights > 0.5].max() > 1e-3


def test_finished_frames_are_skipped_only_if_nothing_changed(egs, tmp_path: Path) -> None:
    job = job_of(egs, tmp_path / "head.ply")
    steps = export_splats(job, FakeEngine())
    while next(steps).done < 2:
        pass
    steps.close()  # the user stops
    assert names(tmp_path) == ["head0002.ply", "head0003.ply"]
    engine = FakeEngine()
    list(export_splats(job, engine))
    assert [moment.seconds for moment in engine.moments] == [job.frames[2].moment.seconds]

    def computed(changed: SplatJob) -> int:
        engine = FakeEngine()
        list(export_splats(changed, engine))
        return len(engine.moments)

    assert computed(job) == 0
    one = job.frames[1]
    louder = replace(one, moment=replace(one.moment, strength=1.5))
    assert computed(replace(job, frames=(job.frames[0], louder, job.frames[2]))) == 1
    elsewhere = replace(one, place=placed(0.9))
    assert computed(replace(job, frames=(elsewhere,))) == 1
    assert computed(replace(job, sh_degree=1)) == 3
    other = replace(sound(), windows=sound().windows + 1)
    assert computed(replace(job, sh_degree=1, voice=other)) == 3


@pytest.mark.parametrize("kind", FORMATS)
def test_a_failure_leaves_the_old_file_and_nothing_else(egs, tmp_path: Path, kind: str) -> None:
    job = job_of(egs, tmp_path / f"head.{kind}", range(3, 4))
    path = job.path_of(job.frames[0])
    path.write_bytes(b"old")
    with pytest.raises(EgsError, match="asked to fail"):
        list(export_splats(job, FakeEngine(fail_at=1)))
    assert path.read_bytes() == b"old" and names(tmp_path) == [path.name]
    list(export_splats(job, FakeEngine()))
    assert path.stat().st_size > 1000 and names(tmp_path) == [path.name]
    assert path.stat().st_size <= bytes_a_frame(kind, 40, 3) + 6000


def test_the_place_is_in_the_node_of_a_glb_and_in_the_splats_of_an_spz(egs, tmp_path) -> None:
    job = job_of(egs, tmp_path / "head.glb", range(3, 4))
    [task] = job.frames
    list(export_splats(job, FakeEngine()))
    document, arrays = read_glb(job.path.read_bytes())
    matrix = np.reshape(document["nodes"][0]["matrix"], (4, 4)).T
    expected = moved(activate(egs[1].gaussians), task.place).means
    world = arrays["POSITION"] @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(world, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(matrix[:3, :3], axis=0), 1, atol=1e-9)
    spz = replace(job, path=tmp_path / "head.spz", file_format="spz")
    list(export_splats(spz, FakeEngine()))
    np.testing.assert_allclose(read_spz(spz.path.read_bytes())["means"], expected, atol=1e-6)


def test_what_cannot_be_exported_is_refused(egs, tmp_path: Path) -> None:
    job = job_of(egs, tmp_path / "head.ply")
    for change, text in (
        ({"file_format": "obj"}, "unknown"),
        ({"path": tmp_path / "head.spz"}, "must end in .ply"),
        ({"sh_degree": 4}, "outside 0..3"),
        ({"frames": ()}, "no frame"),
        ({"frames": job.frames[::-1]}, "ascending"),
        ({"path": tmp_path / "a.glb", "file_format": "glb"}, "one frame"),
    ):
        with pytest.raises(ArgumentError, match=text):
            replace(job, **change)
    with pytest.raises(InputError, match="changed"):
        list(export_splats(replace(job, avatar_hash="0" * 64), FakeEngine()))
    assert names(tmp_path) == []


def command(egs, out: Path, *more: str) -> list[str]:
    np.save(out.parent / "sound.npy", sound().windows)
    fixed = ["--audio", str(out.parent / "sound.npy"), "--engine", "builtin", "--backend", "numpy"]
    return ["export-splats", str(egs[0]), str(out), *fixed, "--json", *more]


def test_the_command_writes_each_nth_frame(egs, tmp_path: Path, capsys) -> None:
    (tmp_path / "out").mkdir()
    arguments = command(egs, tmp_path / "out" / "head.ply", "--step", "2", "--sh-degree", "1")
    assert main([*arguments, "--frames", "1-6"]) == 0
    first, *_, last = events_of(capsys.readouterr().out)
    assert (first["total"], first["gaussians"]) == (3, 40)
    assert first["bytes"] == 3 * bytes_a_frame("ply", 40, 1) and last["frames"] == 3
    assert names(tmp_path / "out")[:3] == ["head0001.ply", "head0003.ply", "head0005.ply"]
    assert not read_ply(tmp_path / "out" / "head0003.ply").sh[:, 4:].any()


def test_the_command_takes_the_first_frame_of_a_still(egs, tmp_path: Path, capsys) -> None:
    assert main(command(egs, tmp_path / "head.glb", "--frames", "4-6")) == 0
    assert events_of(capsys.readouterr().out)[-1]["frames"] == 1
    assert main(command(egs, tmp_path / "head.obj")) == 2
    assert "usdc, .ply, .glb, .spz" in capsys.readouterr().err


def test_the_command_says_who_can_write_usdc(egs, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pxr", None)
    assert main(command(egs, tmp_path / "head.usdc", "--frames", "1-2")) == 1
    assert "pip install usd-core" in capsys.readouterr().err
    assert names(tmp_path) == ["sound.npy"]
