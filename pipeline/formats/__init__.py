"""One module for each file or folder format: ours, and those of others that several stages read.

May import: runtime.
May be imported by: everything but runtime.
"""
