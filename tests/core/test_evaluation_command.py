"""`python -m core evaluate` on a dataset rendered from a small avatar."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.avatar.file import load_avatar
from core.cli import main
from core.dataset.load import load_clip
from core.dataset.rows import rows_to_measure
from core.errors import ArgumentError, DatasetError
from core.evaluation.evaluate import Options, evaluate
from tests.support.events import events_of
from tests.support.talking_clip import FRAMES, TRAIN, acted_clip, acting, acting_avatar, babble
from tests.support.training_inputs import write_wav


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """An avatar, the clip in which it acts, and another voice with its phonemes."""
    folder = tmp_path_factory.mktemp("acted")
    acted_clip(folder / "clip", acting_avatar(folder / "a.egs"), acting())
    write_wav(folder / "other.wav", babble(50, seed=5))
    events = [[0.1 * i, name] for i, name in enumerate("sabaMe")]
    (folder / "other.json").write_text(json.dumps({"events": events}))
    return folder


def measured(given, backend, **options):
    steps = []
    report = evaluate(
        load_avatar(given / "a.egs"),
        load_clip(given / "clip"),
        backend,
        Options(**{"context": True, **options}),
        lambda *step: steps.append(step),
    )
    return report, steps


@pytest.fixture(scope="module")
def itself(given):
    return measured(given, acting(), audio=(given / "other.wav",))


def test_an_avatar_equals_the_clip_it_made(itself):
    val = itself[0].sections[0]
    assert val.value("psnr") > 55 and val.value("psnr_head") > 55
    assert val.value("ssim") > 0.999 and val.value("ssim_head") > 0.999
    for key in ("lip_correlation", "lip_correlation_surface", "eye_correlation"):
        assert val.value(key) > 0.97, key
    assert val.value("lip_shift") == 0
    assert val.value("lmd") < 0.2 and val.value("eye_error") < 0.2
    assert 0.9 < val.value("lip_range") < 1.1
    note = next(metric.note for metric in val.metrics if metric.key == "lip_range")
    assert 0.9 < float(note.rpartition(" ")[2]) < 1.1  # what the reader finds in the true frames
    assert 0.98 < val.value("flicker") < 1.02 and val.value("error_flicker") < 1
    assert val.value("loudness_correlation") > 0.7
    assert val.value("silence") < 0.2
    assert val.value("fps") > 0


def test_progress_is_reported_for_every_frame(itself):
    steps = itself[1]
    assert [s for s in steps if s[0] == "val"] == [("val", i, 20) for i in range(1, 21)]
    assert steps[-1] == ("audio_1", 50, 50)


def test_another_voice_opens_the_mouth_with_its_loudness(itself):
    (other,) = (s for s in itself[0].sections if s.title == "Another voice: other.wav")
    assert other.value("loudness_correlation") > 0.7
    assert other.value("silence") < 0.2 and other.value("pauses") < 0.4
    assert other.value("closures") is not None  # from the .json next to the sound
    strip = other.strips[0]
    assert len(strip.columns) == 8 and strip.columns[-1][0] == "1.96 s"


def test_late_lips_are_measured(given, itself):
    late = measured(given, acting(late=2))[0].sections[0]
    assert late.value("lip_shift") == 2
    assert late.value("lip_correlation") < 0.5
    # Jitter and eyes do not change.
    for key in ("eye_correlation", "jitter"):
        assert late.value(key) == pytest.approx(itself[0].sections[0].value(key), rel=0.01), key


def test_a_mouth_that_never_opens_is_measured(given, itself):
    good = itself[0].sections[0]
    still = measured(given, acting(still=True))[0].sections[0]
    assert still.value("lip_range") < 0.5
    assert still.value("lmd") > 5 * good.value("lmd")
    assert still.value("psnr") < good.value("psnr") - 10
    assert still.value("silence") == pytest.approx(1)


def test_the_sound_outside_the_rows_is_silent_by_default(given, itself):
    """As in the official loader: half of the first windows lies before a held-out part."""
    alone = measured(given, acting(), context=False)[0].sections[0]
    psnr = alone.curves[-1].series["whole frame"]
    whole = itself[0].sections[0].curves[-1].series["whole frame"]
    assert psnr[10:] == whole[10:]
    later = measured(given, acting(late=2), context=False)[0].sections[0]
    # Its first two rows receive the sound before the part: silence.
    with_context = measured(given, acting(late=2))[0].sections[0]
    gaps = [section.curves[0].series["its surface"] for section in (later, with_context)]
    assert gaps[0][:2] != gaps[1][:2] and gaps[0][2:] == gaps[1][2:]


def test_the_command_writes_a_report(given, tmp_path, capsys):
    out = tmp_path / "out"
    fixed = ["evaluate", str(given / "a.egs"), str(given / "clip"), "--out", str(out)]
    rows = ["--rows", f"{TRAIN}-{TRAIN + 9}", "--backend", "numpy"]
    assert main([*fixed, *rows, "--json"]) == 0
    first, *lines, last = events_of(capsys.readouterr().out)
    assert first["event"] == "start"
    assert {line["event"] for line in lines} == {"progress"}
    assert all(line["step"] == line["what"] for line in lines)
    assert last["event"] == "done" and last["path"] == str(out / "report.html")
    document = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert document == last["report"]
    values = document["sections"][f"rows_{TRAIN}-{TRAIN + 9}"]["values"]
    page, text = ((out / f"report.{kind}").read_text() for kind in ("html", "txt"))
    assert f"{values['psnr']:.4g}" in page and f"{values['psnr']:.4g} dB" in text
    assert main([*fixed, *rows]) == 0
    assert "PSNR inside the head" in capsys.readouterr().out


def test_bad_input_is_one_line_and_nothing_is_written(given, tmp_path, capsys):
    def line(*more, avatar=given / "a.egs", clip=given / "clip"):
        return ["evaluate", str(avatar), str(clip), "--out", str(tmp_path / "out"), *more]

    (tmp_path / "noise.wav").write_bytes(b"no sound at all")
    (tmp_path / "p.json").write_text("[]")
    wrong = {
        "no avatar": line(avatar=tmp_path / "none.egs"),
        "no dataset": line(clip=tmp_path / "none"),
        "rows": line("--rows", "900-910"),
        "no more": line("--rows", "more"),
        "words": line("--rows", "all"),
        "no sound": line("--audio", str(tmp_path / "noise.wav")),
        "no phonemes": line(
            "--audio", str(given / "other.wav"), "--phonemes", str(tmp_path / "p.json")
        ),
        "no weights": line("--lpips", str(tmp_path / "noise.wav")),
    }
    for name, words in wrong.items():
        assert main(words) == 2, name
        printed = capsys.readouterr()
        assert printed.err.startswith("error: ") and printed.err.count("\n") == 1, name
        assert not list(tmp_path.glob("out/*")), name


def test_rows(given):
    clip = load_clip(given / "clip")
    assert rows_to_measure(clip, "val") == tuple(range(TRAIN, FRAMES))
    assert rows_to_measure(clip, "3-5,70") == (3, 4, 5, 70)
    with pytest.raises(ArgumentError, match="has 0 to 79"):
        rows_to_measure(clip, "500")
    with pytest.raises(DatasetError, match="transforms_more"):
        rows_to_measure(clip, "more")


def test_a_clip_without_landmarks_is_measured_by_its_pictures(given, tmp_path):
    import shutil

    shutil.copytree(given / "clip", tmp_path / "clip")
    for path in (tmp_path / "clip/ori_imgs").glob("*.lms"):
        path.unlink()
    report = evaluate(
        load_avatar(given / "a.egs"),
        load_clip(tmp_path / "clip"),
        acting(),
        Options(rows=(f"{TRAIN}-{TRAIN + 3}",), audio=(given / "other.wav",)),
        lambda *step: None,
    )
    val, _, other = report.sections  # the second one is that of the whole frame
    assert val.value("psnr") > 30 and val.value("lmd") is None and val.value("jitter") is None
    assert "landmarks" in next(m.note for m in val.metrics if m.key == "lmd")
    assert [curve.key for curve in val.curves] == [f"rows_{TRAIN}-{TRAIN + 3}_psnr"]
    assert other.curves == () and np.isfinite(val.value("flicker"))
