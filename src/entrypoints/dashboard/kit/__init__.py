"""What pages are made with: their handlers, forms and sessions, templates and charts."""
