"""Geometry that no stage owns: camera paths and the similarity alignment of trajectories.

May import: nothing of ours.
May be imported by: everything but runtime, formats.
"""
