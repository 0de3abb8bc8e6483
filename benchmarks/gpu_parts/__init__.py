"""The parts of benchmarks/gpu.py: each measures one thing on a device and hands rows to one table."""
