"""Terms on the page carry their hints; markup, code and names are left alone."""

import re

from markupsafe import Markup

from pipeline.reporting.glossary import TERMS, with_hints


def hinted(text: str) -> list[tuple[str, str]]:
    return re.findall(
        r'<span class="term" tabindex="0" aria-describedby="term-([\w-]+)">([^<]+)</span>', with_hints(text)
    )


def test_the_first_of_each_term_is_hinted_however_it_is_written() -> None:
    assert hinted("Held-out views at 26 dB; held out at 23 dB, PSNR") == [
        ("held-out-view", "Held-out views"),
        ("psnr", "dB"),
    ]


def test_longer_terms_win_and_words_that_contain_one_are_none() -> None:
    assert hinted("valid scales") == [("valid-scene", "valid scales")]
    assert hinted("masked, field-tested, unscaled, scene.mask") == []
    assert hinted("Semantic Flow by optical flow") == [("optical-flow", "optical flow")]


def test_text_is_escaped_and_tags_and_code_stay() -> None:
    assert "&lt;PSNR&gt;" not in with_hints("<PSNR>") and "&lt;" in with_hints("<PSNR>")
    assert with_hints(Markup('<b title="mask">x</b> <code>depth scale</code>')) == Markup(
        '<b title="mask">x</b> <code>depth scale</code>'
    )


def test_every_hint_is_a_sentence_and_every_term_has_a_place_of_its_own() -> None:
    assert all(term.hint.endswith(".") and term.hint[0].isupper() for term in TERMS)
    assert len({term.key for term in TERMS}) == len(TERMS)
