"""What the client of openapi-python-client gets of a server: python generated.py ADDRESS TOKEN."""

import json
import sys

from generated_client import AuthenticatedClient
from generated_client.api.conversations import create_conversation
from generated_client.api.memories import add_memory, delete_memory, get_memory, list_memories
from generated_client.models import AddedMemory, Conversation, Memories, Memory, NewConversation, Problem

client = AuthenticatedClient(sys.argv[1], sys.argv[2])
begun = create_conversation.sync(client=client, body=NewConversation())
assert isinstance(begun, Conversation)
added = add_memory.sync(begun.id, client=client, body=AddedMemory(author="Ada", text="I moved to Lisbon."))
assert isinstance(added, Memory)
listed = list_memories.sync(begun.id, client=client)
assert isinstance(listed, Memories)
read = get_memory.sync(added.id, client=client)
assert isinstance(read, Memory)
deleted = delete_memory.sync_detailed(added.id, client=client).status_code
gone = get_memory.sync(added.id, client=client)
assert isinstance(gone, Problem)
print(json.dumps([[each.text for each in listed.items], read.text, deleted, gone.code]))
