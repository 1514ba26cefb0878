"""`python -m robust` is the command `robust`."""

from robust.api.cli import main

main()
