"""Ways of making new texts near given ones, for Agora: a file each, as :mod:`subarch.learning.proposing` says."""
