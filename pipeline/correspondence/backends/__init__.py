"""Backends of optical flow: one module each, taken by its name in `estimate_flow.backend`.

What such a module has is written down in correspondence/flow_backend.py.
"""
