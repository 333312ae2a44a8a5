"""What is wrong with a value, before anybody knows where it stands."""


class Wrong(Exception):
    """A value that cannot be: a sentence (without the variable's name), and a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint
