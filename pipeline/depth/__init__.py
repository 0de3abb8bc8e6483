"""Depth of single images by networks that a person has put under weights/.

May import: runtime.
May be imported by: stages only.
"""
