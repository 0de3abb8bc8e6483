"""Baselines that OSN's tables compare with: their fields, and the one way in which rays through all of them are rendered.

May import: ops, osn.
May be imported by: pipeline.baselines.
"""
