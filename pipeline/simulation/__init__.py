"""Random scenes with known truth: rooms, objects, their motion, other scales that show the same video.

May import: runtime; models.simulation.
May be imported by: stages only.
"""
