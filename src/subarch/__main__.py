"""``python -m subarch``."""

import sys


def main() -> int:
    """The command line, without the current directory on the module path, where ``python -m`` puts it.

    Commands look into folders that came from elsewhere; a ``json.py`` in one of them is not to be run. What a user
    names as ``module.path:name`` is looked for in the current directory all the same.
    """
    if not sys.flags.safe_path and sys.path:
        del sys.path[0]
    from subarch.cli import main as command_line

    return command_line()


if __name__ == "__main__":
    sys.exit(main())
