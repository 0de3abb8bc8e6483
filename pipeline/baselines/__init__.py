"""Baselines from a packed scene to a trained method: what they see, setup, training, its state, checkpoint, method.

May import: runtime, formats, scene, osn; models.baselines, models.osn, models.ops.
May be imported by: rendering.
"""
