"""Trained methods behind one interface, and the views that are rendered of them.

May import: runtime, formats, geometry, truth, scene, osn, semantic_flow, baselines; models.ops.
May be imported by: evaluation, splats, live.
"""
