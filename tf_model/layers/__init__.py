"""One layer, one file. Each takes a whole sequence [batch, frames, groups, width] or one frame [groups, width]."""
