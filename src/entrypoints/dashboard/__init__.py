"""The dashboard: pages for people at `/`, made on the server from what use cases return."""
