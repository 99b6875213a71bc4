"""The rule pack: its text, what it does, how it arrives."""
