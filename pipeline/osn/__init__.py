"""OSN from a packed scene to a trained method: setup, pixels, training, its state, checkpoint, method.

May import: runtime, formats, scene; models.osn, models.ops.
May be imported by: baselines, rendering.
"""
