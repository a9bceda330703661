"""Where and when feet stand: `footprints` of a clip, their files, and motion whose feet do what footprints say.

`soles` says what of a foot touches the ground, `matching` which asked footprint is which of a clip's own, `timing` how
time runs then, `tracks` where each foot is in each frame, `placing` poses the body on these feet, and `following` is
all of it.
"""
