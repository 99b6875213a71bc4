"""Remote write: from points to bodies, from bodies to disk, from disk to the receiver."""
