"""Migration operations that Django does not have."""

from vibe.db.operations.assured import Assured
from vibe.db.operations.batches import RunInBatches
from vibe.db.operations.contracting import DropColumn, ForgetField
from vibe.db.operations.partitioned import AddPartitionedIndex, CreatePartitionedModel

__all__ = ["AddPartitionedIndex", "Assured", "CreatePartitionedModel", "DropColumn", "ForgetField", "RunInBatches"]
