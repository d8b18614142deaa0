"""The forms of a network: a file each, found by its name, as :mod:`subarch.running.artifacts` says."""
