"""subarch: extract the certified best small network inside a real one."""

__version__ = "0.1.0"
