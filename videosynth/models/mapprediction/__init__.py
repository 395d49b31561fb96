"""Future label maps: the first half of vid2vid's future prediction (section 4.3)."""
