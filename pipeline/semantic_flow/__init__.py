"""Semantic Flow from a packed scene to a trained method: labels, data, training, its state, checkpoint, edits.

May import: runtime, formats, geometry, scene; models.semantic_flow, models.ops.
May be imported by: rendering.
"""
