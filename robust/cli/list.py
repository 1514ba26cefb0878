"""`robust list`."""

from robust import catalog
from robust.errors import SuiteError, suggest


def list_(kind: str | None = None) -> int:
    """Show what there is: architectures, attacks, corruptions, measures, datasets, augmentations, recipes and more.

    Parameters
    ----------
    kind
        Only this catalogue.
    """
    from robust import listing

    if kind is not None and kind not in catalog.KINDS:
        raise SuiteError(f"there is no catalogue {kind!r}{suggest(kind, catalog.KINDS)}")
    print(listing.text([kind] if kind else list(catalog.KINDS)))
    return 0
