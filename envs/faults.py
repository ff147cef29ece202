"""What can go wrong between a user and a simulator."""


class Fault(Exception):
    """Something the user can act on: str() says what is wrong, `hint` what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class UnknownTask(Fault, ValueError):
    """No suite has a task of this name."""


class ActionFault(Fault, ValueError):
    """An action that the environment cannot take."""


class EnvironmentFault(Fault):
    """The simulator diverged, or gave a reward or an observation that is not finite."""


class NotRepeatable(Fault):
    """Re-stepping an episode does not give what its journal holds."""


class RenderFault(Fault):
    """Pictures need OpenGL, and none could be started."""


class Unsupported(Fault, RuntimeError):
    """A package that a task needs is missing, or is not of a version that will do."""


class RomFault(Fault):
    """A game file is missing, or is not the game that it should be."""
