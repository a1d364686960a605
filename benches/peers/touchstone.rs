//! Touchstone as one of the natively measured: answers the requests that `native.py` describes.
//! Started by `benches/peers/run.py`; the argument is the bundle's folder.

use std::error::Error;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};
use touchstone::cli::{block_on, model};
use touchstone::encoder::Execution;
use touchstone::scorer::{Embedder, Unpaused};
use touchstone::text::{Layout, Template};
use touchstone::tokenizer::Passage;

#[derive(Deserialize)]
struct Request {
    texts: Vec<String>,
    #[serde(default)]
    vectors: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).filter(|folder| folder != "--bench");
    let Some(folder) = folder else {
        println!("started by benches/peers/run.py with a bundle's folder");
        return Ok(());
    };
    // As with the peers, the thread that asks is one of those that compute.
    rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global()?;
    let mut bundle = model::read_bundle(Path::new(&folder))?;
    let template = Template {
        prefix: "query: ".into(),
        layout: Layout::Separate,
        max_tokens: bundle.manifest.encoder.max_tokens(),
        max_windows: 1,
        overlap: 0,
    };
    let embedder = Embedder::load(&mut bundle, &Execution::Fused)?;
    answer(&json!({ "version": env!("CARGO_PKG_VERSION") }))?;
    for line in std::io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let started = Instant::now();
        let passages = request.texts.iter();
        let passages = passages.map(|text| embedder.tokenizer.passage(text, &template));
        let passages: Vec<Passage> = passages.collect::<touchstone::Result<_>>()?;
        let vectors = block_on(embedder.embed(&passages.iter().collect::<Vec<_>>(), &Unpaused))?;
        let ms = started.elapsed().as_secs_f64() * 1e3;
        let rows = vectors.chunks_exact(embedder.encoder.width());
        let rows = request.vectors.then(|| rows.collect::<Vec<_>>());
        answer(&json!({ "ms": ms, "vectors": rows }))?;
    }
    Ok(())
}

fn answer(value: &Value) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{value}")?;
    output.flush()
}
