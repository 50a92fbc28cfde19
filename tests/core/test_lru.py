"""The least recently used entries are removed first."""

from __future__ import annotations

from core.system.lru import LRU


def test_the_least_recently_used_leaves() -> None:
    left: list[str] = []
    kept: LRU[str, int] = LRU(2, dropped=lambda key, value: left.append(f"{key}{value}"))
    assert kept.put("a", 1) == 1
    kept.put("b", 2)
    assert kept.get("a") == 1 and kept.get("none") is None
    kept.put("c", 3)
    assert left == ["b2"] and list(kept) == ["a", "c"] and "b" not in kept
    kept.put("a", 4)  # what is replaced leaves, too
    assert left == ["b2", "a1"] and len(kept) == kept.total == 2
    kept.drop("none")
    kept.clear()
    assert left[2:] == ["c3", "a4"] and kept.total == 0


def test_a_budget_of_costs_and_what_always_stays() -> None:
    kept: LRU[str, bytes] = LRU(10, cost=len, least=1)
    for key, size in (("a", 4), ("b", 6), ("c", 2)):
        kept.put(key, bytes(size))
    assert list(kept) == ["b", "c"] and kept.total == 8
    before = kept.version
    kept.set_budget(1)
    assert list(kept) == ["c"] and kept.total == 2 and kept.version != before
    kept.put("large", bytes(50))
    assert list(kept) == ["large"]
