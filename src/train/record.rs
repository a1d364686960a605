//! The out-of-fold evaluation and what a run leaves behind.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::Dtype;
use serde::Serialize;
use serde_json::json;

use super::TrainArgs;
use super::dataset::Dataset;
use super::fit::{self, Fitted};
use super::ridge::Ridge;
use super::split::Groups;
use super::twins;
use crate::bundle::{HEADS, Licence};
use crate::cli::import::Stored;
use crate::cli::pack::{HEADS_RECORD, serialize};
use crate::encoder::{POOLS, Pool};
use crate::error::{Error, ErrorKind, Result};
use crate::evaluate::{Fit, Table};
use crate::heads::{HeadsInfo, ProjectionConfig, Support, TRAINING_PROMPTS, prompt_hash};
use crate::metric;
use crate::scorer::script;

/// Out-of-fold results, by file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The ensemble.
    pub ensemble: BTreeMap<String, Fit>,
    /// The best single member by RMSE, chosen after the fact: an optimistic bar for the ensemble.
    pub best_member: BTreeMap<String, Fit>,
    /// Ridge regression on the same folds, each file by itself.
    pub ridge: BTreeMap<String, Fit>,
    /// RMSE of each file's own mean over the training folds.
    pub constant: BTreeMap<String, f64>,
    /// Files on which the ensemble's RMSE is not below the constant's.
    pub constant_not_beaten: Vec<String>,
    /// Files on which it is not below the ridge's.
    pub ridge_not_beaten: Vec<String>,
    /// All of it as text.
    pub table: String,
}

/// How rows are divided.
struct Folds<'a> {
    /// Fold of each row.
    of: &'a [usize],
    /// Group of each row.
    groups: &'a [usize],
    /// Number of folds.
    count: usize,
}

/// Trains on all folds but one and predicts that one, for each; prints nothing.
///
/// # Errors
/// What fitting fails with.
pub fn evaluate(data: &Dataset, config: &ProjectionConfig, args: &TrainArgs) -> Result<Report> {
    if args.folds < 2 {
        return Ok(Report::default());
    }
    let groups = groups(data)?;
    let files: Vec<String> = (0..data.len())
        .map(|row| data.file(row).to_owned())
        .collect();
    let folds = groups.folds(&files, args.folds, args.seed)?;
    let folds = Folds {
        of: &folds,
        groups: &groups.of,
        count: args.folds,
    };
    let mut members: Vec<Vec<f32>> = vec![Vec::new(); data.len()];
    for fold in 0..args.folds {
        let (test, train): (Vec<usize>, Vec<usize>) =
            (0..data.len()).partition(|&row| folds.of[row] == fold);
        let label = format!("fold {}/{}", fold + 1, args.folds);
        let fitted = fit::fit(data, &train, config, args, &label)?;
        for (row, scores) in test.iter().zip(fit::predict(&fitted, data, &test)) {
            members[*row] = scores;
        }
    }
    let mut report = Report::default();
    for (file, name) in data.rows.files.iter().enumerate() {
        let of_file = |row: &usize| data.rows.examples[*row].file == file;
        let rows: Vec<usize> = (0..data.len()).filter(of_file).collect();
        report.add(name, &rows, data, &folds, &members)?;
    }
    report.finish(data);
    Ok(report)
}

impl Report {
    fn add(
        &mut self,
        name: &str,
        rows: &[usize],
        data: &Dataset,
        folds: &Folds,
        members: &[Vec<f32>],
    ) -> Result<()> {
        let targets: Vec<f32> = rows.iter().map(|&row| data.targets[row]).collect();
        let fit_of = |predict: &dyn Fn(usize) -> f32| {
            Fit::new(
                &rows.iter().map(|&row| predict(row)).collect::<Vec<_>>(),
                &targets,
            )
        };
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len().max(1) as f32;
        let ensemble = fit_of(&|row| mean(&members[row]))?;
        let single = (0..members[0].len()).map(|member| fit_of(&|row| members[row][member]));
        let single = single.collect::<Result<Vec<_>>>()?;
        let best = single.into_iter().min_by(|a, b| a.rmse.total_cmp(&b.rmse));
        let constant = constant(rows, data, folds);
        let constant = Fit::new(&constant, &targets)?.rmse;
        // A baseline that cannot be fitted (too few prompts) is no reason to lose the run.
        let ridge =
            ridge_baseline(rows, data, folds).and_then(|scores| Fit::new(&scores, &targets));
        if ensemble.rmse >= constant {
            self.constant_not_beaten.push(name.into());
        }
        if let Ok(ridge) = ridge {
            if ensemble.rmse >= ridge.rmse {
                self.ridge_not_beaten.push(name.into());
            }
            self.ridge.insert(name.into(), ridge);
        }
        self.constant.insert(name.into(), constant);
        self.ensemble.insert(name.into(), ensemble);
        self.best_member
            .extend(best.map(|best| (name.to_owned(), best)));
        Ok(())
    }

    fn finish(&mut self, data: &Dataset) {
        let mut table = Table::new("out of fold, grouped by prompt");
        for name in &data.rows.files {
            table.push(name, &self.ensemble[name]);
            if let Some(best) = self.best_member.get(name) {
                table.push("  best member", best);
            }
            if let Some(ridge) = self.ridge.get(name) {
                table.push("  ridge", ridge);
            }
        }
        let named = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        self.table = format!(
            "{table}not better than the file's own constant: {}\nnot better than the file's own ridge: {}\n",
            named(&self.constant_not_beaten),
            named(&self.ridge_not_beaten),
        );
    }
}

/// Rows that ask the same: equal prompts, nearly equal ones and translated twins together.
fn groups(data: &Dataset) -> Result<Groups> {
    let examples = &data.rows.examples;
    let keys: Vec<String> = examples
        .iter()
        .map(|e| twins::prompt_key(&e.row.user))
        .collect();
    let mut pairs = twins::near(&keys);
    let languages: Vec<String> = (examples.iter())
        .map(|example| example.row.language.clone().unwrap_or_default())
        .collect();
    let vectors: Vec<f32> = (0..data.len())
        .flat_map(|row| data.pool(row, Pool::User))
        .copied()
        .collect();
    pairs.extend(twins::translated(
        &vectors,
        data.width(),
        &languages,
        twins::TWIN_COSINE,
    )?);
    Groups::new(&keys, &pairs)
}

/// The mean of the other folds' targets, in the order of `rows`.
fn constant(rows: &[usize], data: &Dataset, folds: &Folds) -> Vec<f32> {
    let means: Vec<f32> = (0..folds.count)
        .map(|fold| {
            let others = rows.iter().filter(|&&row| folds.of[row] != fold);
            let targets: Vec<f32> = others.map(|&row| data.targets[row]).collect();
            targets.iter().sum::<f32>() / targets.len().max(1) as f32
        })
        .collect();
    rows.iter().map(|&row| means[folds.of[row]]).collect()
}

/// Most rows the ridge baseline is fitted on: its cost grows with the rows, its error hardly falls.
const RIDGE_ROWS: usize = 2000;

/// Ridge regression on the frozen vectors and their products, one file by itself, out of fold.
fn ridge_baseline(rows: &[usize], data: &Dataset, folds: &Folds) -> Result<Vec<f32>> {
    let width = 4 * data.width();
    let features = |row: usize| -> Vec<f32> {
        let (user, response) = (data.pool(row, Pool::User), data.pool(row, Pool::Response));
        let metric = data.metric(row);
        let product =
            |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
        let products = [product(user, response), product(response, metric)];
        [user, response, &products[0], &products[1]].concat()
    };
    let mut predicted = vec![0.0; rows.len()];
    for fold in 0..folds.count {
        let others: Vec<usize> = rows
            .iter()
            .copied()
            .filter(|&row| folds.of[row] != fold)
            .collect();
        let step = others.len().div_ceil(RIDGE_ROWS).max(1);
        let others: Vec<usize> = others.into_iter().step_by(step).collect();
        let x: Vec<f32> = others.iter().flat_map(|&row| features(row)).collect();
        let y: Vec<f32> = others.iter().map(|&row| data.targets[row]).collect();
        let groups: Vec<usize> = others.iter().map(|&row| folds.groups[row]).collect();
        let ridge = Ridge::fit(&x, width, &y, &groups)?;
        let held = rows
            .iter()
            .enumerate()
            .filter(|(_, row)| folds.of[**row] == fold);
        for (index, &row) in held {
            predicted[index] = ridge.predict(&features(row))?[0].clamp(0.0, 10.0);
        }
    }
    Ok(predicted)
}

/// Writes `heads.json` and `heads.safetensors`.
///
/// # Errors
/// `Io` naming the file.
pub fn write(
    output: &Path,
    data: &Dataset,
    fitted: &Fitted,
    config: &ProjectionConfig,
    args: &TrainArgs,
    encoder_sha256: &str,
    report: &Report,
) -> Result<()> {
    let metrics = metric::catalogue().len();
    let width = data.width();
    let anchors = &data.metrics[..metrics * width];
    let mut tensors = vec![
        Stored::f32("anchors", &[metrics, width], anchors),
        Stored::f32("mean", &[POOLS + 1, width], &fitted.standard.mean),
        Stored::f32("scale", &[POOLS + 1, width], &fitted.standard.scale),
        prompts(data),
    ];
    for (name, tensor) in fitted.members.tensors() {
        let shape = tensor.dims();
        let values = tensor.into_data().try_into_vec::<f32>();
        let values = values.map_err(|e| Error::new(ErrorKind::Format, format!("{name}: {e:?}")))?;
        tensors.push(Stored::f16(name, &shape, &values));
    }
    let info = HeadsInfo {
        encoder_sha256: encoder_sha256.into(),
        template: args.template(),
        config: config.clone(),
        anchors: metric::catalogue()
            .iter()
            .map(|metric| metric.name.clone())
            .collect(),
        support: support(data),
        training: json!({
            "touchstone": env!("CARGO_PKG_VERSION"),
            "arguments": args,
            "files": files(data),
            "licences": licences(data),
        }),
        evaluation: json!(report),
    };
    crate::cli::create_folder(output)?;
    crate::cli::write(&output.join(HEADS), &serialize(&tensors)?)?;
    let record = serde_json::to_vec_pretty(&info)
        .map_err(|error| Error::new(ErrorKind::Format, error.to_string()))?;
    crate::cli::write(&output.join(HEADS_RECORD), &record)
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

fn support(data: &Dataset) -> BTreeMap<String, BTreeMap<Support, Vec<String>>> {
    let mut support: BTreeMap<String, BTreeMap<Support, Vec<String>>> = BTreeMap::new();
    for example in &data.rows.examples {
        if metric::find(&example.metric.name).is_none() {
            continue;
        }
        let kind = if example.judged() {
            Support::Judged
        } else {
            Support::Synthetic
        };
        let kinds = support.entry(example.metric.name.clone()).or_default();
        let scripts = kinds.entry(kind).or_default();
        let script = script(&example.row.response).to_owned();
        if !scripts.contains(&script) {
            scripts.push(script);
            scripts.sort();
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
fn licences(data: &Dataset) -> Vec<Licence> {
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
