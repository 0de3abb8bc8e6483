"""The background of a lens that bends straight lines: the radial term that its tracks show is undone before its geometry."""

import logging
from dataclasses import dataclass, replace

from pipeline.formats.geometry_file import Motion
from pipeline.formats.lens import STRAIGHT_PX, Undistortion, undistortion
from pipeline.sfm.background import Reconstructed, prior_of, reconstruct_background
from pipeline.sfm.mapping import MappingOptions
from pipeline.sfm.radial_term import RadialTerm, straightened, within_image
from pipeline.sfm.rigid_model import Observations

log = logging.getLogger(__name__)
ROUNDS = 2  # of undoing the term, and of measuring what is left


@dataclass(frozen=True)
class StraightBackground:
    """A background, what its camera does, the radial term that was measured, and the view in which it is straight.

    The model and its observations are those of the pinhole that `view` makes of the frames; of the frames where it is None.
    """

    found: Reconstructed
    motion: Motion
    term: RadialTerm | None = None
    view: Undistortion | None = None


def straight_background(seen: Observations, options: MappingOptions) -> StraightBackground:
    """The background under the lens that its tracks show; a pinhole where no term is beyond its own uncertainty."""
    found, motion = reconstruct_background(seen, options)
    term = measured(found)
    if term is None or not term.matters(options.camera):
        return StraightBackground(found, motion, term)
    done = undone(seen, options, term)
    for _ in range(ROUNDS - 1):
        left = measured(done.found)
        if done.view is None or left is None or left.corner_px(done.view.camera) < STRAIGHT_PX:
            break
        left = left.at(done.view.camera.fx)
        done = undone(seen, options, term.followed_by(left, done.view.lens.camera.fx))
    log_lens(done)
    shown = replace(done.found, seen=within_image(done.found.seen, done.found.model.camera))
    return doubted_if_bent(replace(done, found=shown))


def undone(seen: Observations, options: MappingOptions, term: RadialTerm) -> StraightBackground:
    """The background of the straightened tracks, and the term at the focal length that they tell."""
    view = undistortion(term.lens(options.camera))
    zoom = view.camera.fx / view.lens.camera.fx
    prior = prior_of(options)
    told = replace(options, camera=view.camera, focal_prior=prior.scaled(zoom) if prior else None)
    found, motion = reconstruct_background(straightened(seen, view), told)
    camera = found.model.camera
    own = replace(options.camera, fx=camera.fx / zoom, fy=camera.fy / zoom)
    left = measured(found)
    lens = term.lens(own)
    std = left.at(camera.fx).std if left else term.at(own.fx).std
    # What was undone: less than what was measured, where one term would fold the image over.
    term = RadialTerm(lens.params[3], std, own.fx)
    return StraightBackground(found, motion, term, replace(view, camera=camera, lens=lens))


def doubted_if_bent(done: StraightBackground) -> StraightBackground:
    """Weak, with the reason, where lines are still bent."""
    left = measured(done.found)
    if done.view is None or left is None or not left.matters(done.view.camera):
        return done
    words = (
        f"the lens bends straight lines in a way that one radial term does not undo ({left.corner_px(done.view.camera):.1f} px "
        "are left at the corners): give poses with the lens"
    )
    return replace(done, found=replace(done.found, judgement=done.found.judgement.doubted(words)))


def measured(found: Reconstructed) -> RadialTerm | None:
    """The radial term that a background's calibration met."""
    return found.calibration.radial if found.calibration else None


def log_lens(done: StraightBackground) -> None:
    """What was undone."""
    if done.term is not None and done.view is not None:
        log.info(
            "the lens bends straight lines: k1 = %.4f +- %.4f at %.1f px, which moves the corners by %.1f px, is undone",
            done.term.k1,
            done.term.std,
            done.term.focal_px,
            done.view.lens.displacement_px,
        )
