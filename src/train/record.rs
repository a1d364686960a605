//! What a run leaves behind: the heads and their record.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;
use serde_json::json;

use super::dataset::{Dataset, Origin};
use super::evaluation::Report;
use super::fit::Fitted;
use super::{TrainArgs, run_report};
use crate::bundle::{HEADS, Licence};
use crate::cli::import::Stored;
use crate::cli::pack::{HEADS_RECORD, serialize};
use crate::encoder::{BLOCK, Precision};
use crate::error::{Error, ErrorKind, Result};
use crate::heads::{AnchorKind, Calibration, HeadsInfo, Support, TRAINING_PROMPTS, prompt_hash};
use crate::scorer::script;
use crate::text::Template;

/// A metric of the rows' own is remembered by name from this many rows on.
const OWN_METRIC_ROWS: usize = 50;

/// Name of the page of a run beside its heads.
const PAGE: &str = "report.html";

/// A finished run.
pub struct Run<'a> {
    /// What was learnt from.
    pub data: &'a Dataset,
    /// The members.
    pub fitted: &'a Fitted,
    /// How.
    pub args: &'a TrainArgs,
    /// How texts were fed to the encoder.
    pub template: &'a Template,
    /// SHA-256 of the encoder.
    pub encoder_sha256: &'a str,
    /// The out-of-fold evaluation.
    pub report: &'a Report,
    /// The calibration, where rows were held out.
    pub calibration: Option<Calibration>,
}

impl Run<'_> {
    /// Writes `heads.json`, `heads.safetensors` and the page of the run into `output`.
    ///
    /// # Errors
    /// `Io` naming the file.
    pub fn write(&self, output: &Path) -> Result<()> {
        crate::cli::create_folder(output)?;
        crate::cli::write(&output.join(HEADS), &serialize(&self.tensors()?)?)?;
        let record = serde_json::to_vec_pretty(&self.info())
            .map_err(|error| Error::new(ErrorKind::Format, error.to_string()))?;
        crate::cli::write(&output.join(HEADS_RECORD), &record)?;
        let page = run_report::html(self.report, &self.fitted.curves, &self.fitted.config);
        crate::cli::write(&output.join(PAGE), page.as_bytes())
    }

    fn tensors(&self) -> Result<Vec<Stored>> {
        let metrics = &self.data.metrics;
        let anchors = metrics.anchor_vectors();
        let shape = [anchors.len() / metrics.width(), metrics.width()];
        let mut tensors = vec![
            Stored::plain("anchors", &shape, anchors),
            prompts(self.data),
        ];
        for (name, shape, values) in self.fitted.standard.tables() {
            tensors.push(Stored::plain(&name, &shape, values));
        }
        let groups = self.fitted.groups.iter().enumerate();
        for (name, tensor) in groups.flat_map(|(index, group)| group.tensors(index)) {
            let shape = tensor.dims();
            let values = tensor.into_data().try_into_vec::<f32>();
            let values =
                values.map_err(|e| Error::new(ErrorKind::Format, format!("{name}: {e:?}")))?;
            tensors.extend(stored(&name, &shape, &values));
        }
        Ok(tensors)
    }

    fn info(&self) -> HeadsInfo {
        HeadsInfo {
            encoder_sha256: self.encoder_sha256.into(),
            template: self.template.clone(),
            config: self.fitted.config.clone(),
            anchor_kind: match self.data.metrics.given() {
                true => AnchorKind::Given,
                false => AnchorKind::Text,
            },
            anchors: self.data.metrics.anchor_names(),
            support: support(self.data),
            calibration: self.calibration.clone(),
            training: json!({
                "touchstone": env!("CARGO_PKG_VERSION"),
                "arguments": self.args,
                "files": files(self.data),
                "curves": self.fitted.curves,
                "licences": licences(self.data),
            }),
            evaluation: json!(self.report),
        }
    }
}

/// A layer's weights in 8 bits where their rows divide into blocks, the rest of it in f16.
fn stored(name: &str, shape: &[usize; 3], values: &[f32]) -> Vec<Stored> {
    let [_, inputs, outputs] = *shape;
    if inputs > 1 && outputs.is_multiple_of(BLOCK) {
        Stored::matrix(name, shape, values, Precision::Q8)
    } else {
        vec![Stored::f16(name, shape, values)]
    }
}

/// Sorted hashes of the prompts of all rows.
fn prompts(data: &Dataset) -> Stored {
    let mut hashes: Vec<u64> = (data.rows.examples.iter())
        .map(|example| prompt_hash(&example.row.user))
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    Stored {
        name: TRAINING_PROMPTS.into(),
        dtype: Dtype::U64,
        shape: vec![hashes.len()],
        bytes: hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect(),
    }
}

/// For each metric that can be asked for by name, the scripts its answers were written in.
fn support(data: &Dataset) -> BTreeMap<String, BTreeMap<Support, Vec<String>>> {
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    data.items
        .iter()
        .for_each(|item| *rows.entry(item.metric).or_default() += 1);
    let anchors = data.metrics.anchor_names().len();
    let mut support: BTreeMap<String, BTreeMap<Support, Vec<String>>> = BTreeMap::new();
    for item in &data.items {
        if item.metric >= anchors && rows[&item.metric] < OWN_METRIC_ROWS {
            continue;
        }
        let kind = match item.origin {
            Origin::Judged => Support::Judged,
            Origin::Authored | Origin::Synthetic => Support::Synthetic,
        };
        let name = &data.metrics.get(item.metric).name;
        let scripts = support
            .entry(name.clone())
            .or_default()
            .entry(kind)
            .or_default();
        let script = script(&data.rows.examples[item.example].row.response).to_owned();
        if let Err(place) = scripts.binary_search(&script) {
            scripts.insert(place, script);
        }
    }
    support
}

fn files(data: &Dataset) -> Vec<serde_json::Value> {
    let files = data.rows.files.iter().zip(&data.rows.hashes).enumerate();
    let files = files.map(|(file, (name, sha256))| {
        let rows = data
            .rows
            .examples
            .iter()
            .filter(|example| example.file == file)
            .count();
        json!({ "name": name, "sha256": sha256, "rows": rows })
    });
    files.collect()
}

/// Licences of the sources the project knows; rows of other sources are the user's own affair.
pub fn licences(data: &Dataset) -> Vec<Licence> {
    let known = [
        (
            "prometheus-eval",
            "Apache-2.0",
            "https://github.com/prometheus-eval/prometheus-eval",
        ),
        ("AI4Bharat/CIA", "MIT", "https://github.com/AI4Bharat/CIA"),
        (
            "shisa-ai/shaberi",
            "Apache-2.0",
            "https://github.com/shisa-ai/shaberi",
        ),
        (
            "JailbreakBench",
            "MIT",
            "https://github.com/JailbreakBench/artifacts",
        ),
        (
            "sheffieldnlp/mlqe-pe",
            "CC0-1.0",
            "https://github.com/sheffieldnlp/mlqe-pe",
        ),
        ("authored", "MIT OR Apache-2.0", "written for this project"),
    ];
    let used = |name: &str| {
        let mut sources = data
            .rows
            .examples
            .iter()
            .filter_map(|e| e.row.source.as_deref());
        sources.any(|source| source.starts_with(name))
    };
    let known = known.into_iter().filter(|(name, _, _)| used(name));
    known
        .map(|(name, licence, source)| Licence {
            of: format!("training rows of {name}"),
            licence: licence.into(),
            source: source.into(),
        })
        .collect()
}
