"""Random damage to copies of directories, and whether ``repair`` saves what is whole and says so.

``python -m bazanite_stress.damage --copies 1000`` runs it; the seed is printed.
"""
