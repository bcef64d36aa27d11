"""People: what is stuck, why, and the button that moves it, proved at full size. Each module runs alone."""
