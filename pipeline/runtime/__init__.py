"""How a stage runs: checked settings, errors, whole-or-nothing outputs, progress, threads, device, weights, records.

May import: nothing of ours.
May be imported by: everything.
"""
