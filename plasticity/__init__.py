"""What is done to networks against primacy bias, and what is measured on them."""
