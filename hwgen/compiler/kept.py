"""Maps that stay in the activation buffer from the layer that computes them to the one that reads
them.
"""

from .memory import Buffers
from .tensors import Tensor

__all__ = ["KeptMap"]


class KeptMap:
    """A tensor in the activation buffer, all planes of it, ``pitch`` words apart.

    Members
    -------
    owner : object
        Of its words, from the first :meth:`take` to the release.
    at : int
        Its first word.
    """

    def __init__(self, tensor: Tensor, pitch: int):
        self.tensor, self.pitch = tensor, pitch
        self.owner, self.at = object(), 0
        self._taken = False

    @property
    def words(self) -> int:
        """Words of the buffer that it takes."""
        return self.tensor.planes * self.pitch

    def take(self, buffers: Buffers) -> None:
        """Have its words, from the first call on."""
        if not self._taken:
            self.at, self._taken = buffers.activations.take(self.words, self.owner), True

    def offset(self, plane: int, row: int) -> int:
        """Words from its first one to a row of a plane."""
        return plane * self.pitch + row * self.tensor.columns
