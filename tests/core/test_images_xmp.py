"""Pictures declare themselves synthetic: read back by other readers, the pixels untouched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from core.avatar.file import load_avatar, save_avatar
from core.bake.backends import backend_named, remembering
from core.bake.loop import bake
from core.bake.origin import xmp_of
from core.errors import OutputError
from core.images.stamp import add_xmp
from core.images.xmp import COMPOSITE, GENERATED, MAX_TEXT, NAMESPACES, RDF, Origin, Source, packet
from core.records.avatar import Avatar
from core.system.program import NAME, version
from core.worker.exchange import read_job, voice_fields, write_job, write_track
from tests.core.test_images_png import chunks
from tests.support.exr import attributes, channels_in
from tests.support.talking import job_for, small_avatar

LICENCE = 'CC BY 4.0: "A & B", <every> use\nÜ 語 𝄞'
SOURCE = Source("small", "0" * 64, LICENCE)
ORIGIN = Origin(GENERATED, (SOURCE,), "Program", "1.2")


def said_of(**changes: str) -> str:
    """The packet of an avatar with these changes."""
    return packet(replace(ORIGIN, sources=(replace(SOURCE, **changes),)))


def told(xmp: str) -> dict[str, str]:
    """Property -> text, of a packet parsed by Python's XML library."""
    names = {**NAMESPACES, "rdf": RDF}
    about = ElementTree.fromstring(xmp).find("rdf:RDF/rdf:Description", names)
    assert about is not None
    paths = {
        "type": "Iptc4xmpExt:DigitalSourceType",
        "system": "Iptc4xmpExt:AISystemUsed",
        "version": "Iptc4xmpExt:AISystemVersionUsed",
        "tool": "xmp:CreatorTool",
        "avatar": "dc:source",
        "hash": "xmpMM:Ingredients/rdf:Bag/rdf:li/stRef:documentID",
        "licence": "xmpRights:UsageTerms/rdf:Alt/rdf:li",
    }
    return {key: text for key, path in paths.items() if (text := about.findtext(path, None, names))}


@pytest.fixture(scope="module")
def egs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Avatar]:
    path = tmp_path_factory.mktemp("avatar") / "small.egs"
    save_avatar(replace(small_avatar(path), licence=LICENCE), path)
    return path, load_avatar(path)


def baked(egs: tuple[Path, Avatar], folder: Path, file_format: str, **changes: Any) -> Path:
    job = job_for(*egs, folder, count=1, file_format=file_format, **changes)
    list(bake(job, remembering(backend_named("numpy"))))
    return job.path_of(job.frames[0])


def test_a_packet_says_what_it_was_given() -> None:
    assert told(packet(ORIGIN)) == {
        "type": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
        "system": "Program",
        "version": "1.2",
        "tool": "Program 1.2",
        "avatar": "small",
        "hash": "sha256:" + "0" * 64,
        "licence": LICENCE,
    }
    assert "licence" not in told(said_of(licence=""))


def test_several_avatars_are_all_named() -> None:
    other = Source("other", "1" * 64, "")
    xmp = packet(replace(ORIGIN, sources=(SOURCE, other, replace(SOURCE, hash="2" * 64))))
    assert told(xmp)["avatar"] == "small, other, small"
    assert [xmp.count(f"sha256:{digit * 64}") for digit in "012"] == [1, 1, 1]
    assert told(xmp)["licence"] == LICENCE  # once


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_pictures_of_other_programs_take_a_packet_once(tmp_path: Path, kind: str) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow, the oracle of PNG and JPEG")
    path = tmp_path / f"picture.{kind}"
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    image.fromarray(pixels).save(path)
    with image.open(path) as picture:
        before = np.asarray(picture)
    assert add_xmp(path, packet(ORIGIN))
    data = path.read_bytes()
    with image.open(path) as picture:
        xmp = picture.info["xmp"].decode()
        assert np.array_equal(np.asarray(picture), before)
    assert xmp == packet(ORIGIN)
    assert not add_xmp(path, packet(ORIGIN)) and path.read_bytes() == data


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "picture"
    for data in (b"", b"\x89PNG\r\n\x1a\n", b"II*\0 a TIFF", b"\x76\x2f\x31\x01 EXR"):
        path.write_bytes(data)
        assert not add_xmp(path, packet(ORIGIN)) and path.read_bytes() == data
    path.write_bytes(b"\xff\xd8\xff\xe0\0\4ab")
    assert not add_xmp(path, "x" * 65536)
    with pytest.raises(OutputError, match="does not exist"):
        add_xmp(tmp_path / "none", "")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("]]><x>&amp;", "]]><x>&amp;"),
        ("<?xpacket end='w'?>", "<?xpacket end='w'?>"),
        ("a\x00b\x1b\ufffe", "a\ufffdb\ufffd\ufffd"),
        ("\ud800", "\ufffd"),
    ],
)
def test_no_name_breaks_the_packet(name: str, shown: str) -> None:
    xmp = said_of(name=name)
    assert told(xmp)["avatar"] == shown
    assert xmp.encode().count(b"<?xpacket") == 2


def test_a_long_licence_is_cut() -> None:
    text = told(said_of(licence="x" * 100_000))["licence"]
    assert len(text) == MAX_TEXT and text.endswith("…")


def test_the_type_depends_on_what_is_behind_the_head(egs: tuple[Path, Avatar]) -> None:
    _, avatar = egs
    assert told(xmp_of(avatar, True))["type"] == COMPOSITE
    assert told(xmp_of(avatar, False))["type"] == GENERATED
    assert told(xmp_of(replace(avatar, background=None), True))["type"] == GENERATED


def test_pillow_finds_it_in_a_png_and_every_pixel_stays(
    egs: tuple[Path, Avatar], tmp_path: Path
) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs Pillow, the oracle of PNG")
    path, plain = (baked(egs, tmp_path / str(xmp), "png", xmp=xmp) for xmp in (True, False))
    with image.open(path) as picture, image.open(plain) as without:
        xmp = picture.info["xmp"].decode()
        assert np.array_equal(np.asarray(picture), np.asarray(without))
        assert "xmp" not in without.info
    found = told(xmp)
    assert (found["avatar"], found["licence"]) == ("small", LICENCE)
    assert found["hash"] == f"sha256:{egs[1].content_hash}"
    assert (found["system"], found["version"]) == (NAME, version())
    parts, others = chunks(path.read_bytes()), chunks(plain.read_bytes())
    assert parts.pop(b"tEXt") != others.pop(b"tEXt")  # the keys say with or without
    assert parts.pop(b"iTXt") == b"XML:com.adobe.xmp\0\0\0\0\0" + xmp.encode()
    assert parts == others
    assert baked(egs, tmp_path / "again", "png").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("file_format", ["exr", "exr-multilayer"])
def test_openexr_finds_it_and_every_pixel_stays(
    egs: tuple[Path, Avatar], tmp_path: Path, file_format: str
) -> None:
    path, plain = (baked(egs, tmp_path / str(xmp), file_format, xmp=xmp) for xmp in (True, False))
    data, without = path.read_bytes(), plain.read_bytes()
    found, others = attributes(data)[0], attributes(without)[0]
    xmp = found.pop("xmp").decode()
    assert found.pop("egstalker:key") != others.pop("egstalker:key")  # with or without
    assert told(xmp)["type"] == COMPOSITE and found == others
    same, pixels = channels_in(data), channels_in(without)
    assert {k: v.tobytes() for k, v in same.items()} == {k: v.tobytes() for k, v in pixels.items()}
    assert baked(egs, tmp_path / "again", file_format).read_bytes() == data
    library = pytest.importorskip("OpenEXR", reason="needs OpenEXR, the oracle of the format")
    with library.File(str(path)) as file:
        assert file.header()["xmp"] == xmp
        assert file.channels()["RGBA"].pixels.shape[2] == 4


def test_the_worker_obeys(egs: tuple[Path, Avatar], tmp_path: Path) -> None:
    for xmp in (True, False):
        job = job_for(*egs, tmp_path, xmp=xmp)
        write_track(tmp_path / "t.npy", job.track)
        fields = write_job(tmp_path, "f.npy", job, voice_fields(job.voice, "t.npy"))
        assert read_job(tmp_path, fields).xmp is xmp
