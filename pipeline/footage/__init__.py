"""What kind of footage a video is, before any geometry: its shots, its borders, what is drawn over it.

May import: runtime, formats.
May be imported by: stages only.
"""
