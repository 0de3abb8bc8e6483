"""The live viewer: what a person sets of a trained scene, what follows from it, and its page.

May import: formats, scene, rendering.
May be imported by: stages only.
"""
