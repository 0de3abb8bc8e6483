"""The live viewer: what a person sets of a trained scene, what follows from it, and its page.

May import: runtime, formats, geometry, scene, rendering, reporting, splats.
May be imported by: stages only.
"""
