"""Webhooks: who is called about which events, how a message looks, and when it is tried again."""
