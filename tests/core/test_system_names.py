"""File names that every operating system accepts."""

from __future__ import annotations

import pytest

from core.system.names import LONGEST, distinct_names, full_path, safe_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Head", "Head"),
        ("Köpfe №1 [v2]…🎤", "Köpfe №1 [v2]…🎤"),
        ("Ko\u0308pfe", "Köpfe"),  # as a Mac writes it
        ('a/b\\c:d*e?f"g<h>i|j\n', "a_b_c_d_e_f_g_h_i_j_"),
        ("..", "unnamed"),
        (" head. ", "head"),
        ("con", "_con"),
        ("LPT1.frames", "_LPT1.frames"),
        ("console", "console"),
        ("100% {}#", "100% {}#"),
        ("", "unnamed"),
    ],
)
def test_a_safe_name(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_a_long_name_is_cut_between_letters() -> None:
    name = safe_name("ä" * 80)
    assert name == "ä" * (LONGEST // 2)
    assert safe_name("a" * (LONGEST - 1) + ".b") == "a" * (LONGEST - 1)


def test_names_are_distinct_also_without_case() -> None:
    assert distinct_names(["a:b", "a?b", "A_B", "c"]) == ["a_b", "a_b-2", "A_B-3", "c"]
    long = distinct_names(["x" * 200] * 3)
    assert len(set(long)) == 3 and all(len(name) <= LONGEST for name in long)
    assert len(set(distinct_names(["a", "a-2", "a", "a"]))) == 4


@pytest.mark.parametrize(
    ("path", "windows", "posix"),
    [
        ("//server/share/頭 1.egs", r"\\server\share\頭 1.egs", "/server/share/頭 1.egs"),
        (r"\\server\share\a.egs", r"\\server\share\a.egs", r"\\server\share\a.egs"),
        (r"\/server/share\a.egs", r"\\server\share\a.egs", r"\/server/share\a.egs"),
        ("///a", "\\\\\\a", "/a"),
        ("/a//b", "/a//b", "/a//b"),
        ("C:/a", "C:/a", "C:/a"),
        ("", "", ""),
    ],
)
def test_a_full_path_is_not_taken_for_one_beside_the_blend(
    path: str, windows: str, posix: str
) -> None:
    assert (full_path(path, True), full_path(path, False)) == (windows, posix)
