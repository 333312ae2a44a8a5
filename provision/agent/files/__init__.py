"""Files, directories, commands, and the formats that files are written in."""
