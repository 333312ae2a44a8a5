"""The way back: a journal of what stood there, undone by the run, a timer or the next boot."""
