// In front of every kernel, behind its constants.
struct Batch { tokens: u32, passages: u32 }

@group(0) @binding(0) var<uniform> batch: Batch;

