"""How the system is: what was looked at, who needs whom, what is the cause, and what will break next.

``providers`` ask the real thing, ``monitor`` runs them, ``dependencies`` and ``verdict`` say what follows, ``lag`` judges
consumer groups, ``predict`` looks ahead. Everything but ``providers`` and ``monitor`` is pure.
"""
