//! How time and memory grow with the number of texts: `cargo bench --bench scaling -- [--bundle DIR]
//! [COUNT]...`. The texts are the answers of `data/authored.jsonl`, each with a number of its own.
//! Memory is Linux's count of resident pages; elsewhere the columns stay empty.

use std::time::Instant;

use clap::Parser;
use serde_json::Value;
use touchstone::cli::args::RunArgs;
use touchstone::cli::progress::over_batches;
use touchstone::cli::{block_on, model};
use touchstone::scorer::{BATCH_TOKENS, Embedder, Unpaused, batches};
use touchstone::text::{Layout, Template};
use touchstone::tokenizer::Passage;

/// Texts taken at a time, as a file is read.
const CHUNK: usize = 512;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Numbers of texts, ascending.
    #[arg(default_values_t = [1, 10, 100, 1_000, 10_000])]
    counts: Vec<usize>,
    /// Cargo passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> touchstone::Result<()> {
    let args = Args::parse();
    let mut bundle = model::open(&args.run.bundle)?;
    let embedder = Embedder::load(&mut bundle, &args.run.execution()?)?;
    drop(bundle);
    let rows = include_str!("../data/authored.jsonl").lines();
    let rows = rows.map(|row| serde_json::from_str::<Value>(row).expect("the file is JSON lines"));
    let answers: Vec<String> = rows
        .filter_map(|row| row["response"].as_str().map(str::to_owned))
        .collect();
    encode(&embedder, &answers, 16)?;
    println!("| texts | tokens | seconds | tokens/s | peak memory, MB |\n|--:|--:|--:|--:|--:|");
    for &count in &args.counts {
        forget_peak();
        let started = Instant::now();
        let tokens = encode(&embedder, &answers, count)?;
        let seconds = started.elapsed().as_secs_f64();
        let speed = tokens as f64 / seconds;
        let peak = peak().map_or(String::new(), |kilobytes| format!("{}", kilobytes / 1024));
        println!("| {count} | {tokens} | {seconds:.2} | {speed:.0} | {peak} |");
    }
    Ok(())
}

/// Encodes the first `count` of the answers, over and over, and says how many tokens that were.
fn encode(embedder: &Embedder, answers: &[String], count: usize) -> touchstone::Result<usize> {
    let template = Template {
        prefix: "query: ".into(),
        layout: Layout::Separate,
        max_tokens: 256,
        max_windows: 1,
        overlap: 0,
    };
    let texts = answers.iter().cycle().take(count).enumerate();
    let texts: Vec<String> = texts
        .map(|(number, text)| format!("{number} {text}"))
        .collect();
    let mut tokens = 0;
    for chunk in texts.chunks(CHUNK) {
        let passages = chunk.iter();
        let passages = passages.map(|text| embedder.tokenizer.passage(text, &template));
        let passages: Vec<Passage> = passages.collect::<touchstone::Result<_>>()?;
        let costs: Vec<usize> = passages.iter().map(Passage::len).collect();
        tokens += costs.iter().sum::<usize>();
        let work = |batch: &[usize]| {
            let of_batch: Vec<&Passage> = batch.iter().map(|&index| &passages[index]).collect();
            block_on(embedder.embed(&of_batch, &Unpaused))
        };
        over_batches(&batches(&costs, BATCH_TOKENS), work, |_, vectors| {
            vectors.map(|_| ())
        })?;
    }
    Ok(tokens)
}

/// Begins to count the peak anew.
fn forget_peak() {
    // Where it cannot be, it is that of all that ran before too.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Most resident memory, in kilobytes.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
