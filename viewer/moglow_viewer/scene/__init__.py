"""What is to be seen: figures, colours, the camera, the motion that is shown."""
