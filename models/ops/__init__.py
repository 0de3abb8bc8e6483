"""Operators that both methods and structure from motion are made of, and how they are spread over cores.

May import: models.rays.
May be imported by: everything in models, pipeline.sfm, pipeline.osn, pipeline.semantic_flow.
"""
