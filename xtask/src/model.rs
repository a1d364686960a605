//! The companion, and the checkpoint that some tests compare with.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::step::Steps;
use crate::{place, process};

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

/// Fetches the whole encoder that the default model's was made from, unless it is there.
pub fn checkpoint(steps: &mut Steps) -> Result<PathBuf> {
    let checkpoint = place::target()?.join("checkpoint");
    steps.run(
        "Fetch multilingual-e5-small, which tests compare with",
        1.0,
        || process::run(touchstone()?.arg("fetch").arg("--output").arg(&checkpoint)),
    )?;
    Ok(checkpoint)
}

/// The companion, to be given a command.
pub fn touchstone() -> Result<Command> {
    Ok(process::command(place::companion()?))
}
