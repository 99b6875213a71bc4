"""
What is in the container image: the environment of Python that the Dockerfile copies, and how the image is made.

Only the standard library is used here, because the first stage of the Dockerfile has nothing else.
"""
