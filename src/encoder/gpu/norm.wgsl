// output = residual + norm(input), row by row.
//
// Constants set in front of this text: WIDTH, RMS, EPSILON, HAS_RESIDUAL.

@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// Gain and shift.
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;
@group(0) @binding(3) var<storage, read> residual: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4f>;

const THREADS = 64u;
const QUADS = WIDTH / 4u;

var<workgroup> partial: array<f32, THREADS>;

fn sum_of(lane: u32, part: f32) -> f32 {
    partial[lane] = part;
    workgroupBarrier();
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            partial[lane] += partial[lane + half];
        }
        workgroupBarrier();
    }
    let sum = partial[0];
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * QUADS;
    var mean = 0.0;
    if (!RMS) {
        var sum = vec4f();
        for (var quad = lane; quad < QUADS; quad += THREADS) {
            sum += input[row + quad];
        }
        mean = sum_of(lane, dot(sum, vec4f(1.0))) / f32(WIDTH);
    }
    var squares = 0.0;
    for (var quad = lane; quad < QUADS; quad += THREADS) {
        let value = input[row + quad] - mean;
        squares += dot(value, value);
    }
    let inverse = inverseSqrt(sum_of(lane, squares) / f32(WIDTH) + EPSILON);
    for (var quad = lane; quad < QUADS; quad += THREADS) {
        var value = (input[row + quad] - mean) * inverse * vectors[quad] + vectors[QUADS + quad];
        if (HAS_RESIDUAL) {
            value += residual[row + quad];
        }
        output[row + quad] = value;
    }
}
