//! `touchstone embed`: the encoder's own embedding of each line of a file.

use std::path::PathBuf;

use clap::Args;

use super::args::RunArgs;
use super::progress::{bar, batches, over_batches};
use super::{block_on, model};
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::{BATCH_TOKENS, Embedder, Unpaused};
use crate::text::{Layout, Template};
use crate::tokenizer::Passage;

/// Arguments of `touchstone embed`.
#[derive(Args)]
pub struct EmbedArgs {
    /// UTF-8 text, one text a line.
    file: PathBuf,
    /// NumPy file to write: f32, [lines, width], rows of length 1.
    #[arg(long, short)]
    output: PathBuf,
    /// Prompt put before every line, by its name in the encoder's own list (`touchstone inspect`
    /// shows it); the encoder's default one, which most have not, when left out.
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    #[command(flatten)]
    run: RunArgs,
}

/// Runs the command.
pub fn run(args: &EmbedArgs) -> Result<()> {
    let text = super::forms::text(super::read(&args.file)?)
        .map_err(|error| error.context(args.file.display()))?;
    let mut bundle = model::open(&args.run.bundle)?;
    let encoder = &bundle.manifest.encoder;
    let max_tokens = encoder.max_tokens();
    let prefix = encoder.pipeline.prompt(args.prompt.as_deref())?.to_owned();
    let embedder = Embedder::load(&mut bundle, &args.run.execution()?)?;
    let template = Template {
        prefix,
        layout: Layout::Separate,
        max_tokens,
        max_windows: 1,
        overlap: 0,
    };
    let passages = text
        .lines()
        .map(|line| embedder.tokenizer.passage(line, &template));
    let passages: Vec<Passage> = passages.collect::<Result<_>>()?;
    let width = embedder.encoder.width();
    let mut values = vec![0.0; passages.len() * width];
    let bar = bar("embedding", passages.len() as u64, "lines");
    let costs: Vec<usize> = passages.iter().map(Passage::len).collect();
    let work = |batch: &[usize]| {
        let of_batch: Vec<&Passage> = batch.iter().map(|&index| &passages[index]).collect();
        block_on(embedder.embed(&of_batch, &Unpaused))
    };
    over_batches(&batches(&costs, BATCH_TOKENS), work, |batch, vectors| {
        for (&index, vector) in batch.iter().zip(vectors?.chunks_exact(width)) {
            values[index * width..][..width].copy_from_slice(vector);
        }
        bar.inc(batch.len() as u64);
        Ok::<(), Error>(())
    })?;
    bar.finish_and_clear();
    let cut = passages
        .iter()
        .filter(|passage| passage.kept < passage.of)
        .count();
    if cut > 0 {
        eprintln!("{cut} lines are longer than {max_tokens} tokens; the rest of them was cut off");
    }
    super::write(&args.output, &npy(&values, width)?)?;
    eprintln!(
        "wrote {} vectors of {width} to {}",
        passages.len(),
        args.output.display()
    );
    Ok(())
}

/// A NumPy array file, format version 1.0, of `[values / width, width]` little-endian f32.
fn npy(values: &[f32], width: usize) -> Result<Vec<u8>> {
    let shape = format!("({}, {width})", values.len() / width);
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    // Magic, version, length and header fill whole 64-byte lines, the last byte a newline.
    let padding = 64 - (10 + header.len() + 1) % 64;
    header.push_str(&" ".repeat(padding % 64));
    header.push('\n');
    let length = u16::try_from(header.len())
        .map_err(|_| Error::new(ErrorKind::Shape, "the array's header is too long"))?;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::npy;

    #[test]
    fn the_array_starts_on_a_64_byte_line() {
        for width in [1, 3, 384] {
            let bytes = npy(&vec![1.0; 2 * width], width).unwrap();
            assert_eq!((bytes.len() - 2 * width * 4) % 64, 0);
            assert_eq!(bytes[bytes.len() - 2 * width * 4 - 1], b'\n');
        }
    }
}
