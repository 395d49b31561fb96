"""Video and picture files: the only room that knows codecs (PyAV). Frames here are uint8 RGB arrays ``H W 3``."""
