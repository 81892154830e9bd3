"""Pictures of what the gates of a trained network chose."""

from models.show.choices import Choices, observe
from models.show.page import write_page

__all__ = ["Choices", "observe", "write_page"]
