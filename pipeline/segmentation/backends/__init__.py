"""Backends that find objects: one module each, taken by its name in `segment_objects.backend`.

What such a module has is written down in segmentation/mask_backend.py.
"""
