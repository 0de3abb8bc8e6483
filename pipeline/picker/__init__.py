"""The page on which a person clicks on objects, its server, and the block of YAML that comes out.

May import: runtime, reporting.
May be imported by: stages only.
"""
