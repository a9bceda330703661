"""moglow: your path, your skeleton, natural motion. Import what you need from its module: `moglow.motion.clip`, ….

Reading order: clip, control, features, then models and sampling. Importing this package loads nothing else.
"""

__version__ = "0.1.0"
