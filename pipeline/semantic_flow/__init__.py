"""Semantic Flow from a packed scene to a trained method: labels, data, training, its state, checkpoint, method.

May import: runtime, formats, geometry, correspondence, scene; models.semantic_flow, models.ops.
May be imported by: rendering.
"""
