//! The default model: fetched and packed by the companion, again whenever its inputs change.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step::Steps;
use crate::{place, process};

/// The committed heads and the code that packs them: when one changes, the bundle is made again.
const INPUTS: [&str; 10] = [
    HEADS,
    "src/bundle.rs",
    "src/cli/fetch/packages.rs",
    "src/cli/import",
    "src/cli/map.rs",
    "src/cli/pack.rs",
    "src/cli/survey.rs",
    "src/encoder/quant.rs",
    "src/encoder/weights.rs",
    "src/golden.json",
];
const HEADS: &str = "models/default";

/// Builds the companion without training; `touchstone` is then at [`place::companion`].
pub fn companion(steps: &mut Steps) -> Result<()> {
    steps.run("Compile the native companion `touchstone`", 8.0, || {
        process::run(
            process::cargo()
                .args([
                    "build",
                    "--release",
                    "--package",
                    "touchstone",
                    "--bin",
                    "touchstone",
                ])
                .args(["--no-default-features", "--features", "cli"]),
        )
    })
}

/// Fetches the default encoder and packs it with the committed heads, unless that is done.
pub fn pack(steps: &mut Steps) -> Result<()> {
    let inputs = fingerprint();
    if is_packed(&inputs)? {
        steps.skip("The packed default model");
        return Ok(());
    }
    let checkpoint = place::target()?.join("checkpoint");
    steps.run(
        "Fetch the default encoder (multilingual-e5-small)",
        3.0,
        || process::run(touchstone()?.arg("fetch").arg("--output").arg(&checkpoint)),
    )?;
    steps.run("Pack the encoder and the committed heads", 1.0, || {
        let bundle = place::model()?;
        place::remove_tree(&bundle)?;
        process::run(
            touchstone()?
                .arg("pack")
                .arg(&checkpoint)
                .args(["--heads", HEADS, "--output"])
                .arg(&bundle),
        )?;
        if !bundle.join("bundle.json").is_file() {
            bail!(
                "`touchstone pack` left no bundle.json in {}",
                bundle.display()
            );
        }
        let stamp = stamp()?;
        fs::write(&stamp, &inputs).with_context(|| format!("cannot write {}", stamp.display()))
    })
}

/// The companion, to be given a command.
pub fn touchstone() -> Result<Command> {
    Ok(process::command(place::companion()?))
}

/// True when a bundle stands there that was packed from the inputs as they are now.
fn is_packed(inputs: &str) -> Result<bool> {
    let packed = place::model()?.join("bundle.json").is_file();
    Ok(packed && fs::read_to_string(stamp()?).is_ok_and(|stamp| stamp == inputs))
}

fn stamp() -> Result<PathBuf> {
    Ok(place::target()?.join("model.stamp"))
}

/// Hash of the names and bytes of every input.
fn fingerprint() -> String {
    let root = place::root();
    let mut hasher = DefaultHasher::new();
    for file in INPUTS
        .iter()
        .flat_map(|input| place::files_below(&root.join(input)))
    {
        file.strip_prefix(&root).unwrap_or(&file).hash(&mut hasher);
        fs::read(&file).unwrap_or_default().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_is_there() {
        for input in INPUTS {
            assert!(
                place::root().join(input).exists(),
                "{input} has moved: name its new place"
            );
        }
    }
}
