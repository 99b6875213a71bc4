"""The image, without a container engine: its recipe, its environment, and the pod that runs it."""
