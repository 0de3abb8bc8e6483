"""What methods share: of a packed scene units, bounds, region, scales, depth maps and requests for edits; and their interface.

May import: runtime, formats; models.ops.
May be imported by: osn, semantic_flow, baselines, rendering, splats, live.
"""
