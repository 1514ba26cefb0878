"""What everything else stands on: errors, types, the registry of members, files, the store, statistics."""
