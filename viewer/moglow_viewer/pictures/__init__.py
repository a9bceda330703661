"""Pictures, films and contact sheets, rendered without a display.

film and sheet are the pictures, reels the encoders of films, lettering writes text on them.
"""
