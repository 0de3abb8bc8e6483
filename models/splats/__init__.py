"""Gaussian splats: a trained object as a list of soft ellipsoids, rasterised and fitted to pictures.

May import: ops.
May be imported by: pipeline.splats.
"""
