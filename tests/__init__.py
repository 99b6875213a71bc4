"""The tests of storage-exporter: one file per module, and test_ground.py for the repository itself."""
