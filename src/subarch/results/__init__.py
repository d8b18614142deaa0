"""What commands return: frozen, shown well, and JSON on demand; pure data, one file a command."""
