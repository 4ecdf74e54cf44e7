"""From one wire format to another by way of a Conversation, or of events. Pure: no I/O, no clock."""
