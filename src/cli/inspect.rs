//! `touchstone inspect`: a bundle as a model card.

use std::path::PathBuf;

use clap::Args;

use super::args::BundleArgs;
use super::model;
use crate::bundle::Manifest;
use crate::error::{Error, ErrorKind, Result};

/// Arguments of `touchstone inspect`.
#[derive(Args)]
pub struct InspectArgs {
    /// Bundle folder; the default model when left out.
    bundle: Option<PathBuf>,
    /// Print the whole manifest as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command; every file is verified first.
pub fn run(args: &InspectArgs) -> Result<()> {
    let bundle = model::open(&BundleArgs {
        bundle: args.bundle.clone(),
    })?;
    bundle.verify_all()?;
    if args.json {
        let json = serde_json::to_string_pretty(&bundle.manifest)
            .map_err(|error| Error::new(ErrorKind::Format, error.to_string()))?;
        println!("{json}");
        return Ok(());
    }
    println!("bundle   {} ({})", bundle.manifest.name, bundle.id);
    card(&bundle.manifest);
    Ok(())
}

fn card(manifest: &Manifest) {
    let encoder = &manifest.encoder;
    println!("encoder  {}: {}", encoder.name, encoder.source);
    println!("weights  {}", encoder.quantisation);
    for (name, entry) in &manifest.files {
        println!(
            "file     {name}, {} bytes, SHA-256 {}, verified",
            entry.bytes, entry.sha256
        );
    }
    for licence in &manifest.licences {
        println!(
            "licence  {}: {} ({})",
            licence.of, licence.licence, licence.source
        );
    }
    let Some(heads) = &manifest.heads else {
        println!("heads    none: the bundle embeds but does not score");
        return;
    };
    println!(
        "heads    {} members, {} anchors",
        heads.config.projections.len(),
        heads.anchors.len()
    );
    println!("run      {:#}", heads.training["arguments"]);
    if let Some(report) = heads.evaluation["table"].as_str() {
        println!("\n{report}");
    }
}
