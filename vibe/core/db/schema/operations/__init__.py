"""Migration operations that Django does not have."""

from vibe.core.db.schema.operations.assured import Assured
from vibe.core.db.schema.operations.batches import RunInBatches
from vibe.core.db.schema.operations.contracting import DropColumn, ForgetField
from vibe.core.db.schema.operations.partitioned import AddPartitionedIndex, CreatePartitionedModel

__all__ = ["AddPartitionedIndex", "Assured", "CreatePartitionedModel", "DropColumn", "ForgetField", "RunInBatches"]
