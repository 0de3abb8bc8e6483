"""The field's terms on the page, each with a hint in a sentence: under the pointer, on focus, on a tap, and in a list."""

import re
from typing import NamedTuple

from markupsafe import Markup, escape


class Term(NamedTuple):
    """A term as the list has it, what it means, and how else the page's texts write it."""

    name: str
    hint: str
    written: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """A name for the page's own addresses."""
        return re.sub(r"\W+", "-", self.name.lower())


TERMS = (
    Term(
        "parallax",
        "Near things shift more than far ones when the camera moves sideways. It is what tells depth in a film.",
    ),
    Term(
        "held-out view",
        "A view that no stage was shown, rendered and then compared with the true picture: the honest test.",
        ("held-out views", "held-out", "held out"),
    ),
    Term("PSNR", "Likeness of two pictures in decibel (dB): 20 is rough, 25 good, 30 very good.", ("dB",)),
    Term("SSIM", "Likeness of structure of two pictures, from 0 to 1."),
    Term("LPIPS", "How different two pictures look, as a trained network judges: 0 is the same."),
    Term("IoU", "Overlap of two areas over what both cover together: 1 is the same area.", ("mIoU",)),
    Term("optical flow", "Where each pixel of a frame is in the next one.", ("flow",)),
    Term("mask", "The pixels of one object in a frame.", ("masks",)),
    Term("track", "One point of a surface, followed over many frames.", ("tracks",)),
    Term(
        "focal length",
        "How narrow the camera's view is, in pixels. A wrong one stretches or flattens shapes along depth.",
    ),
    Term("pinhole", "A camera whose straight lines stay straight in the picture: a lens that bends nothing."),
    Term(
        "scale",
        "How far away a moving thing is taken to be, and with it how large: twice the scale is twice as far and twice as large. "
        "One film does not tell it.",
        ("scales",),
    ),
    Term(
        "valid scene",
        "One choice of scales under which every frame would have looked as it was filmed: nothing hides what the film shows.",
        ("valid scenes", "valid scales"),
    ),
    Term(
        "score",
        "How sure the trained scale network is that scales explain the film: from 0.5 on they count as possible.",
    ),
    Term(
        "splat", "A small soft ellipsoid with a colour; many of them make a surface that is quick to draw.", ("splats",)
    ),
    Term("field", "A trained network that tells colour and density anywhere in space.", ("fields",)),
    Term("reprojection error", "How far a reconstructed point lies from where its track saw it, in pixels."),
    Term("triangulation angle", "The angle between the lines of sight to a point: small ones leave depth vague."),
    Term(
        "planarity",
        "How nearly flat the points lie: at 1 all lie in a plane, which tells neither shape nor focal length.",
    ),
    Term("covisible", "Judged only where the video saw the surface in enough frames."),
    Term("protocol", "By whose rules a number was computed. Only numbers of one protocol can be compared."),
)
BY_WRITING = {
    written: term
    for term in TERMS
    for word in (term.name, *term.written)
    for written in (word, word[0].upper() + word[1:])  # also where a sentence begins
}
PATTERN = re.compile(
    r"(?<![\w.-])(?<!Semantic )("
    + "|".join(re.escape(word) for word in sorted(BY_WRITING, key=len, reverse=True))
    + r")(?![\w-])"
)


def with_hints(text: str | Markup) -> Markup:
    """Text or HTML without tags around its terms: the first of each term gets its hint."""
    seen: set[str] = set()

    def hinted(found: re.Match[str]) -> str:
        term = BY_WRITING[found[1]]
        if term.key in seen:
            return found[0]
        seen.add(term.key)
        return f'<span class="term" tabindex="0" aria-describedby="term-{term.key}">{found[0]}</span>'

    # Tags, and what stands in code, stay as they are.
    parts = re.split(r"(<code>.*?</code>|<[^>]*>)", str(escape(text)))
    return Markup("".join(part if n % 2 else PATTERN.sub(hinted, part) for n, part in enumerate(parts)))
