//! Answers damaged by a known amount: `touchstone augment`, and in memory for training.
//!
//! Judged rows seldom show a metric's low end. A good answer damaged on purpose does, with a target
//! that follows from the damage: `kinds.json` says for each kind which metrics it lowers, how far,
//! and which it leaves alone; `templates.json` holds what is written into answers. Each damaged
//! answer comes with the undamaged one under the same metric, and with itself under a metric that
//! the damage does not touch, so that neither the text nor the metric alone gives the score away.

mod damage;
mod discourse;
mod kinds;
mod names;
mod numbers;
mod pool;
mod requests;
mod surface;
mod templates;
mod text;

use std::collections::HashSet;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::rows::{self, Options, Row};
use crate::error::{Error, ErrorKind, Result};
use crate::train::dataset::SYNTHETIC;
use crate::train::random::Random;
use damage::{Damage, Good, damage, hash};
use kinds::{DESCRIBED, Keep, Kind, Lower, Needs};
use pool::Pool;

/// Answers with at least this score are good enough to be damaged.
const GOOD: f32 = 8.0;
/// Damaging program code says nothing about prose.
const CODE: &str = "```";

/// Arguments of `touchstone augment`.
#[derive(Args, Clone, Debug)]
pub struct AugmentArgs {
    /// Judged files: CSV, JSON or JSON lines, also .gz. Answers scored 8 or higher are damaged.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// JSON lines file to write.
    #[arg(long, short, value_name = "OUT.jsonl")]
    pub output: PathBuf,
    /// How answers are damaged.
    #[command(flatten)]
    pub corrupt: CorruptArgs,
}

/// How answers are damaged.
#[derive(Args, Clone, Debug)]
pub struct CorruptArgs {
    /// Kinds of damage, such as word-order,splice; all when left out.
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub kinds: Vec<String>,
    /// Damaged answers made of each good one, each of another kind; 0 makes one of every kind.
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub per_row: usize,
    /// How much damage, above 0 and up to 1: a range such as 0.2..1 or a list such as 0.25,0.5,1.
    #[arg(long, default_value = "0.1..1", value_name = "MIN..MAX")]
    pub dial: Dial,
    /// Seed of every random choice.
    #[arg(long = "seed", default_value_t = 1)]
    pub seed: u64,
}

impl Default for CorruptArgs {
    /// The defaults of the command line.
    fn default() -> Self {
        let (kinds, dial) = (Vec::new(), Dial::Range(0.1, 1.0));
        Self {
            kinds,
            per_row: 3,
            dial,
            seed: 1,
        }
    }
}

/// Where the amount of damage is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub enum Dial {
    /// Evenly between two amounts.
    Range(f32, f32),
    /// One of these amounts.
    List(Vec<f32>),
}

impl FromStr for Dial {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let amount = |part: &str| {
            let amount = part
                .trim()
                .parse::<f32>()
                .ok()
                .filter(|v| *v > 0.0 && *v <= 1.0);
            amount.ok_or(format!(
                "expected numbers above 0 and up to 1, found `{}`",
                part.trim()
            ))
        };
        let Some((least, most)) = text.split_once("..") else {
            return text
                .split(',')
                .map(amount)
                .collect::<std::result::Result<_, _>>()
                .map(Self::List);
        };
        match (amount(least)?, amount(most)?) {
            (least, most) if least <= most => Ok(Self::Range(least, most)),
            _ => Err(format!("expected MIN..MAX, found `{text}`")),
        }
    }
}

impl Dial {
    fn draw(&self, random: &mut Random) -> f32 {
        match self {
            Self::Range(least, most) => least + (most - least) * random.uniform(),
            Self::List(amounts) => amounts
                .get(random.below(amounts.len()))
                .copied()
                .unwrap_or(1.0),
        }
    }
}

/// Runs the command: reads judged files, damages their good answers, writes JSON lines.
///
/// # Errors
/// `Input` for a kind that does not exist or an output that is not called `.jsonl`, `Data` for bad
/// rows or when no answer is good enough, `Io` where a file cannot be read or written.
pub fn run(args: &AugmentArgs) -> Result<()> {
    if args
        .output
        .extension()
        .is_none_or(|extension| extension != "jsonl")
    {
        let message = format!(
            "{} is not called .jsonl: JSON lines are written",
            args.output.display()
        );
        return Err(Error::new(ErrorKind::Input, message));
    }
    let mut found = Vec::new();
    for path in &args.files {
        let read = rows::read(path, &Options::JUDGED)?;
        if let Some(summary) = read.skipped_summary() {
            eprintln!("{}: {summary}", path.display());
        }
        found.extend(read.rows);
    }
    let made = corrupt(&found, &args.corrupt)?;
    if made.is_empty() {
        let message =
            "no row could be damaged: answers scored 8 or higher, and not synthetic, are needed";
        return Err(Error::new(ErrorKind::Data, message));
    }
    let lines: Vec<String> = made
        .iter()
        .map(|row| Value::Object(row.fields.clone()).to_string())
        .collect();
    crate::cli::write(&args.output, (lines.join("\n") + "\n").as_bytes())?;
    crate::cli::print(format!(
        "wrote {} rows to {}",
        made.len(),
        args.output.display()
    ))
}

/// Damaged answers and their undamaged counterparts, made of the good rows among `rows` (score 8
/// or higher, not synthetic). The same rows, in whatever order, and the same options give the same
/// rows; a row's damage of one kind does not depend on the other kinds asked for.
///
/// # Errors
/// `Input` for a kind that does not exist.
pub fn corrupt(rows: &[Row], options: &CorruptArgs) -> Result<Vec<Row>> {
    let kinds = kinds::named(&options.kinds)?;
    let goods: Vec<Good> = rows.iter().filter(|row| good(row)).map(Good::new).collect();
    let pool = Pool::new(&goods);
    let (mut made, mut seen) = (Vec::new(), HashSet::new());
    for good in &goods {
        for row in variants(good, &kinds, &pool, options) {
            if seen.insert((row.metric.clone(), row.user.clone(), row.response.clone())) {
                made.push(row);
            }
        }
    }
    made.iter_mut()
        .enumerate()
        .for_each(|(index, row)| row.number = index + 1);
    Ok(made)
}

fn good(row: &Row) -> bool {
    let judged = !row
        .source
        .as_deref()
        .is_some_and(|source| source.starts_with(SYNTHETIC));
    let high = row.score.is_some_and(|score| score >= GOOD);
    judged && high && !row.response.trim().is_empty() && !row.response.contains(CODE)
}

/// The rows made of one good answer: its first kinds, in an order of its own, that apply to it.
fn variants(good: &Good, kinds: &[&'static Kind], pool: &Pool, options: &CorruptArgs) -> Vec<Row> {
    let mut ranked: Vec<(u64, &'static Kind)> = kinds
        .iter()
        .map(|kind| (good.seed(options.seed, &kind.name), *kind))
        .collect();
    ranked.sort_by_key(|(seed, _)| *seed);
    let wanted = if options.per_row == 0 {
        ranked.len()
    } else {
        options.per_row
    };
    let made = ranked.into_iter().filter_map(|(seed, kind)| {
        let mut random = Random::new(seed);
        let dial = options.dial.draw(&mut random);
        let damage = damage(kind, good, pool, dial, seed)?;
        Some(judged(good, kind, &damage, &mut random))
    });
    made.filter(|rows| !rows.is_empty())
        .take(wanted)
        .flatten()
        .collect()
}

/// One damaged answer under a metric it lowers, the undamaged one under the same, and the damaged
/// one under a metric it leaves alone. Where the metric is the row's own, the undamaged answer is
/// left out: the row itself is that example. So it is where the row's metric does not show that the
/// answer is good in this respect.
fn judged(good: &Good, kind: &'static Kind, damage: &Damage, random: &mut Random) -> Vec<Row> {
    let (prompt, answer) = match &damage.exchange {
        Some((prompt, answer)) => (prompt.as_str(), answer.as_str()),
        None => (good.row.user.as_str(), good.text()),
    };
    let Some(lower) = lowered(good, kind, random) else {
        return Vec::new();
    };
    let high = if good.row.score.is_some_and(|score| score >= 9.5) {
        10.0
    } else {
        9.0
    };
    let of = if damage.exchange.is_some() {
        hash(answer)
    } else {
        good.hash.clone()
    };
    let trusted = kind.needs == Needs::Any || good.sound;
    let made = Made {
        good,
        kind,
        prompt,
        of,
    };
    let mut rows = vec![made.row(
        &lower.metric,
        &damage.text,
        lower.score(damage.dial),
        damage.dial,
    )];
    if damage.exchange.is_some() || trusted && !lower.own(good) {
        rows.push(made.row(&lower.metric, answer, high, 0.0));
    }
    let keeps: Vec<&Keep> = kind
        .keeps
        .iter()
        .filter(|keep| keep.applies(good, damage.dial))
        .collect();
    if let Some(keep) = keeps.get(random.below(keeps.len())) {
        rows.push(made.row(&keep.metric, &damage.text, high, damage.dial));
    }
    rows
}

/// A metric that the kind lowers; every other time the row's own, where that is one of them, since
/// there the answer is known to be good.
fn lowered(good: &Good, kind: &'static Kind, random: &mut Random) -> Option<&'static Lower> {
    let lowers = kind.lowered(good);
    let own = lowers.iter().find(|lower| lower.own(good));
    let own = own.filter(|_| random.below(2) == 0);
    own.or_else(|| lowers.get(random.below(lowers.len())))
        .copied()
}

/// What the rows of one damaged answer have in common.
struct Made<'a> {
    good: &'a Good<'a>,
    kind: &'a Kind,
    prompt: &'a str,
    /// Hash of the undamaged answer.
    of: String,
}

impl Made<'_> {
    fn row(&self, metric: &str, response: &str, score: f32, dial: f32) -> Row {
        let origin = self.good.row;
        let described = metric == DESCRIBED;
        let exchanged = self.prompt != origin.user;
        let mut row = Row {
            metric: if described {
                origin.metric.clone()
            } else {
                metric.to_owned()
            },
            definition: origin.definition.clone().filter(|_| described),
            system: origin.system.clone().filter(|_| !exchanged),
            user: self.prompt.to_owned(),
            response: response.to_owned(),
            score: Some(score),
            language: self.language(),
            source: Some(format!("{SYNTHETIC}corruption/{}", self.kind.name)),
            fields: Map::new(),
            number: 0,
        };
        row.fields = fields(&row, dial, &self.of);
        row
    }

    fn language(&self) -> Option<String> {
        let code = self.good.language.map(|(code, _)| code.to_owned());
        self.good.row.language.clone().or(code)
    }
}

fn fields(row: &Row, dial: f32, of: &str) -> Map<String, Value> {
    let round = |value: f32, steps: f64| (f64::from(value) * steps).round() / steps;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("source", json!(row.source));
    put("metric_name", json!(row.metric));
    put("metric_description", json!(row.definition));
    put("system_prompt", json!(row.system));
    put("user_prompt", json!(row.user));
    put("response", json!(row.response));
    put("language", json!(row.language));
    put("score", json!(round(row.score.unwrap_or_default(), 10.0)));
    put("dial", json!(round(dial, 1000.0)));
    put("of", json!(of));
    fields
}

#[cfg(test)]
mod tests;
