"""The rungs: a file each, found by its name, as :mod:`subarch.rungs.table` says."""
