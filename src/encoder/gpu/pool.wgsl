// Pools of each passage: sums of its tokens, each with its share.
//
// Constants set in front of this text: WIDTH, POOLS.

@group(0) @binding(1) var<storage, read> hidden: array<f32>;
// `[POOLS, tokens]`.
@group(0) @binding(2) var<storage, read> shares: array<f32>;
// The first token of each passage, and the one behind its last.
@group(0) @binding(3) var<storage, read> passages: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> pools: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let column = group.x * 64u + lane;
    if (column >= WIDTH) {
        return;
    }
    let passage = passages[group.y];
    var sums: array<f32, POOLS>;
    for (var token = passage.x; token < passage.y; token++) {
        let value = hidden[token * WIDTH + column];
        for (var pool = 0u; pool < POOLS; pool++) {
            sums[pool] += shares[pool * batch.tokens + token] * value;
        }
    }
    for (var pool = 0u; pool < POOLS; pool++) {
        pools[(group.y * POOLS + pool) * WIDTH + column] = sums[pool];
    }
}
