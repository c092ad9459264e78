"""`python -m trivox.cli`: the same as the `trivox` script."""

from trivox.cli import main

if __name__ == "__main__":
    main()
