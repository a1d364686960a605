//! `touchstone inspect`: a bundle as a model card.

use std::path::PathBuf;

use clap::Args;

use super::args::BundleArgs;
use super::model;
use crate::bundle::Manifest;
use crate::error::{Error, ErrorKind, Result};
use crate::heads::HeadsInfo;

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
        let json = serde_json::to_string_pretty(&bundle.manifest);
        return super::print(json.map_err(|e| Error::new(ErrorKind::Format, e.to_string()))?);
    }
    let mut lines = vec![format!("bundle   {} ({})", bundle.manifest.name, bundle.id)];
    lines.extend(encoder_card(&bundle.manifest));
    lines.extend(heads_card(bundle.manifest.heads.as_ref()));
    super::print(lines.join("\n"))
}

fn encoder_card(manifest: &Manifest) -> Vec<String> {
    let encoder = &manifest.encoder;
    let mut lines = vec![
        format!("encoder  {}: {}", encoder.name, encoder.source),
        format!("weights  {}", encoder.quantisation),
        format!(
            "vectors  {} wide, of texts up to {} tokens",
            encoder.width(),
            encoder.max_tokens()
        ),
    ];
    let prompts = encoder.pipeline.prompts.iter();
    lines.extend(prompts.map(|(name, prompt)| format!("prompt   {name}: {prompt:?}")));
    lines.extend(manifest.files.iter().map(|(name, entry)| {
        let (bytes, sha256) = (entry.bytes, &entry.sha256);
        format!("file     {name}, {bytes} bytes, SHA-256 {sha256}, verified")
    }));
    lines.extend(manifest.licences.iter().map(|licence| {
        format!(
            "licence  {}: {} ({})",
            licence.of, licence.licence, licence.source
        )
    }));
    lines
}

fn heads_card(heads: Option<&HeadsInfo>) -> Vec<String> {
    let Some(heads) = heads else {
        return vec!["heads    none: the bundle embeds but does not score".into()];
    };
    let (members, anchors) = (heads.config.members(), heads.anchors.len());
    let mut lines = vec![
        format!("heads    {members} members, {anchors} anchors"),
        format!("run      {:#}", heads.training["arguments"]),
    ];
    lines.extend(
        heads.evaluation["table"]
            .as_str()
            .map(|table| format!("\n{table}")),
    );
    lines
}
