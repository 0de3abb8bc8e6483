"""Semantic Flow's networks, losses and rendering in tensors: static and dynamic fields, velocity, flow attention.

May import: ops.
May be imported by: pipeline.semantic_flow.
"""
