"""What the simulator renders with: ray casting, shading, procedural textures.

May import: models.rays.
May be imported by: pipeline.simulation, and stages.
"""
