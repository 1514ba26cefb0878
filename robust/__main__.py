"""`python -m robust` is the command `robust`."""

from robust.cli import main

main()
