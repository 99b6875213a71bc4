"""Programs that make and check what is shipped; nothing of them is in it."""
