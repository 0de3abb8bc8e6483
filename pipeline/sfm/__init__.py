"""Structure from motion of each object: models from tracks, their uncertainty and verdicts, poses that a person brings.

May import: runtime, formats, geometry, correspondence; models.ops.
May be imported by: refinement.
"""
