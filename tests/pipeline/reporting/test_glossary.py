"""Terms on the page carry their hints; markup, code and names are left alone."""

import re
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pipeline.reporting.glossary import TERMS, with_hints
from pipeline.reporting.page import page_environment


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


def test_a_hint_opens_on_focus_and_under_the_pointer_and_escape_closes_it(browser: Any, tmp_path: Path) -> None:
    page = '<!doctype html><title>x</title><style>{% include "page.css" %}</style><p>{{ "PSNR and mask" | hints }}</p>'
    text = page_environment().from_string(page + '{% include "words.html" %}').render(terms=TERMS)
    (tmp_path / "page.html").write_text(text)
    browser.get((tmp_path / "page.html").as_uri())
    terms, hint = browser.find_elements("css selector", "p .term"), browser.find_element("id", "hint")
    assert not hint.is_displayed()
    body = browser.find_element("css selector", "body")
    body.send_keys("\ue004")  # Tab
    assert browser.switch_to.active_element == terms[0] and hint.text.startswith("Likeness of two pictures")
    terms[0].send_keys("\ue00c")  # Escape
    assert not hint.is_displayed()
    terms[1].click()
    assert hint.text == "The pixels of one object in a frame."
