"""What the issue of stock value asks to be proved at full size."""
