"""The picture and its derivative share the rules that both must agree on to the bit."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="needs numba")
from core.render.numba import blend, blend_back, ellipse, project, project_back, rules

FOLDER = Path(rules.__file__).parent
LIMITS = {"MAX_ALPHA", "MIN_ALPHA", "MIN_TRANSMITTANCE", "DILATION"}
OF_BLENDING = ("cells_of", "draw_layer", "place_in_tile", "any_open", "PATIENCE")
OF_PROJECTING = ("in_camera", "direction", "jacobian", "variances", "sh_basis")


def names_in(module: str) -> set[str]:
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("module", ["blend", "blend_back"])
def test_alpha_and_the_stop_rule_are_computed_by_the_rules_alone(module: str) -> None:
    used = names_in(module)
    assert used.isdisjoint({*LIMITS, "power_of_two", "REACH_X", "REACH_Y"})
    assert used.issuperset(OF_BLENDING)
    for name in OF_BLENDING:
        assert getattr(blend, name) is getattr(blend_back, name) is getattr(rules, name)


@pytest.mark.parametrize("module", ["project", "project_back"])
def test_the_ellipse_is_computed_in_one_place(module: str) -> None:
    used = names_in(module)
    assert used.isdisjoint({"DILATION", "quat", "rotate"})
    assert used.issuperset(OF_PROJECTING)
    for name in OF_PROJECTING:
        assert getattr(project, name) is getattr(project_back, name)
    assert project.variances is ellipse.variances
