"""Settings are laid over settings."""

from pipeline.runtime.overlay import overlaid


def test_sections_inside_a_section_are_laid_over_each_other() -> None:
    assert overlaid({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": []}) == {"a": {"b": 3, "c": 2}, "d": []}
