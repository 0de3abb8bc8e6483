"""What both methods need of a packed scene: units and bounds, one scale an object, depth maps, requests for edits.

May import: runtime, formats, geometry.
May be imported by: osn, semantic_flow, rendering, evaluation.
"""
