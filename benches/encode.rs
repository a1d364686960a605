//! Speed of the encoder on this machine: `cargo bench --bench encode -- [--bundle DIR] [--json]
//! [--rounds N] [BATCHxTOKENS]...`.
//!
//! Rounds go through all shapes in turn, so that noise of the machine meets each alike.

use std::time::Instant;

use clap::Parser;
use touchstone::cli::args::RunArgs;
use touchstone::cli::{block_on, model};
use touchstone::encoder::Execution;
use touchstone::scorer::{Embedder, Unpaused};
use touchstone::text::Segment;
use touchstone::tokenizer::{Passage, Window};

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// One JSON object a line and shape.
    #[arg(long)]
    json: bool,
    /// How often each shape is encoded.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// burn's operations instead of the fused layers.
    #[arg(long)]
    padded: bool,
    /// Shapes, `BATCHxTOKENS`.
    #[arg(default_values = ["1x32", "1x128", "1x512", "8x32", "8x128", "8x512", "32x32", "32x64", "32x128"])]
    shapes: Vec<String>,
    /// Cargo passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> touchstone::Result<()> {
    let args = Args::parse();
    // The thread that asks is one of those that compute.
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread();
    pool.build_global().expect("there is no other pool yet");
    let mut bundle = model::open(&args.run.bundle)?;
    let execution = if args.padded {
        Execution::Padded
    } else {
        args.run.execution()?
    };
    let embedder = Embedder::load(&mut bundle, &execution)?;
    let shapes: Vec<(usize, usize)> = args.shapes.iter().map(|shape| parse(shape)).collect();
    let batches: Vec<Vec<Passage>> = shapes
        .iter()
        .map(|&(batch, tokens)| vec![passage(tokens); batch])
        .collect();
    let mut times = vec![Vec::new(); shapes.len()];
    // The first round warms up and does not count.
    for round in 0..=args.rounds {
        for (batch, times) in batches.iter().zip(&mut times) {
            let passages: Vec<&Passage> = batch.iter().collect();
            let started = Instant::now();
            block_on(embedder.embed(&passages, &Unpaused))?;
            if round > 0 {
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    if !args.json {
        println!("| batch x tokens | best, ms | median, ms | tokens/s |\n|---|--:|--:|--:|");
    }
    for ((batch, tokens), mut times) in shapes.into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        let (best, median) = (times[0], times[times.len() / 2]);
        if args.json {
            let line = serde_json::json!({ "batch": batch, "tokens": tokens, "best_ms": best, "median_ms": median });
            println!("{line}");
        } else {
            let speed = (batch * tokens) as f64 / best * 1e3;
            println!("| {batch} x {tokens} | {best:.1} | {median:.1} | {speed:.0} |");
        }
    }
    Ok(())
}

fn parse(shape: &str) -> (usize, usize) {
    let parts = shape
        .split_once('x')
        .and_then(|(batch, tokens)| Some((batch.parse().ok()?, tokens.parse().ok()?)));
    parts.unwrap_or_else(|| panic!("{shape}: expected BATCHxTOKENS, such as 8x128"))
}

/// One window of so many tokens, all of the vocabulary's beginning.
fn passage(tokens: usize) -> Passage {
    let ids = (0..tokens as u32)
        .map(|token| 5 + 13 * token % 5000)
        .collect();
    Passage {
        windows: vec![Window {
            ids,
            segments: vec![Some(Segment::Response); tokens],
        }],
        kept: tokens,
        of: tokens,
    }
}
