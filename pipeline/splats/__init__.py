"""Splats of trained objects: the views that they are fitted to, and how near they come to the field.

May import: runtime, formats, geometry, scene, rendering; models.splats, models.ops.
May be imported by: live.
"""
