"""pix2pixHD: one picture from one map."""
