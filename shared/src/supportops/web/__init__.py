"""Pages for operators: layout, forms, headers, and one login for all services."""
