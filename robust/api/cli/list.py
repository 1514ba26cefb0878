"""`robust list`."""

from robust.core import registry
from robust.core.errors import SuiteError, suggest


def list_(kind: str | None = None) -> int:
    """List what is available: architectures, attacks, corruptions, metrics, datasets, augmentations, recipes and more.

    Parameters
    ----------
    kind
        Only this catalogue.
    """
    from robust.api import listing

    if kind is not None and kind not in registry.KINDS:
        raise SuiteError(f"there is no catalogue {kind!r}{suggest(kind, registry.KINDS)}")
    print(listing.text([kind] if kind else list(registry.KINDS)))
    return 0
