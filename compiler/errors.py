"""Every error wsc raises on purpose.

WscError
├── UserError                what the user can mend; exit code 2
│   ├── ModelError           the model file: missing, no factory, an exception inside it
│   ├── UnsupportedModel     ops the frontend or the target cannot take; lists every one with its place
│   ├── InputMismatch        tensors that do not fit the program's inputs
│   ├── UnknownTarget        no target or machine of that name
│   ├── MachineError         a machine file with a missing or absurd figure
│   ├── DoesNotFit           a memory or a fabric too small, by how much, and what would help
│   ├── PlacementError       a placement problem or a file of one that is malformed, or contradicts itself
│   ├── AlgorithmError       an algorithm asked for by name that there is not, or where it cannot serve
│   └── BuildError           a build folder that is missing, corrupt, of another version or unwritable
└── InternalError            our own mistake; exit code 1
    ├── VerificationError    an artefact that breaks its invariants
    └── SimulationError      a program that cannot make progress (deadlock) or is malformed
"""


class WscError(Exception):
    """Base of all errors raised on purpose; the message is one paragraph for a person to read."""

    exit_code = 1


class UserError(WscError):
    """A mistake the user can mend."""

    exit_code = 2


class ModelError(UserError):
    """The model file cannot be loaded, has no factory, or fails inside."""


class UnsupportedModel(UserError):
    """Some ops are not supported; the message lists every one with file, line and module path."""


class InputMismatch(UserError):
    """Tensors given do not have the names, shapes or types of the program's inputs."""


class UnknownTarget(UserError):
    """No target or machine has this name."""


class MachineError(UserError):
    """A machine description misses a figure or holds an absurd one."""


class DoesNotFit(UserError):
    """The model needs more of some resource than the machine has."""


class PlacementError(UserError):
    """A placement problem, or a file of one, is malformed or contradicts itself."""


class AlgorithmError(UserError):
    """No algorithm has this name, or it cannot serve the shape asked for."""


class BuildError(UserError):
    """The build folder is missing, corrupt, of another version, or cannot be written."""


class InternalError(WscError):
    """A defect of wsc itself."""


class VerificationError(InternalError):
    """An artefact breaks one of its stated invariants."""


class SimulationError(InternalError):
    """A program deadlocks or is malformed."""
