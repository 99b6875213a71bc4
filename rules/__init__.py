"""The rule pack, and what builds it. Nothing here is part of the program: it ships the YAML files."""
