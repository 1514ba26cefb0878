"""The base of all other packages: errors, types, the registry of members, files, the store, statistics."""
