"""What methods share: of a packed scene units, bounds, scales, depth maps and requests for edits; and their interface.

May import: runtime, formats.
May be imported by: osn, semantic_flow, rendering, splats, live.
"""
