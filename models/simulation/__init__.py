"""What the simulator renders with: ray casting, shading, procedural textures.

May import: nothing of ours.
May be imported by: pipeline.simulation.
"""
