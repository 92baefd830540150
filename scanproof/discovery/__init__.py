"""Copiers that the list lacks: by a sweep of the site's own subnets, or by another system's list."""
