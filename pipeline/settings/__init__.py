"""Every setting with its default, bounds and meaning: one module for each part of the chain; `pipeline/config.py` joins them.

May import: nothing of ours.
May be imported by: stages only.
"""
