//! `cargo xtask test-label-studio`: the companion with a real Label Studio.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::step::Steps;
use crate::{browser, check, place, process};

/// The version that the protocol was read from.
const VERSION: &str = "1.23.2";
/// Variable that tells the test where the program is.
const PROGRAM: &str = "TOUCHSTONE_LABEL_STUDIO";
/// Where the test is; a plain `cargo test` leaves it out.
const TEST: [&str; 2] = ["--test", "label_studio"];

/// Installs Label Studio and runs the test with it.
pub fn run() -> Result<()> {
    let mut steps = Steps::start();
    let result = everything(&mut steps);
    steps.print();
    result
}

fn everything(steps: &mut Steps) -> Result<()> {
    let browsers = browser::ensure(steps)?;
    let studio = install(steps)?;
    steps.run("Compile the test and the companion", 10.0, || {
        process::run(check::cargo("test").args(TEST).arg("--no-run"))
    })?;
    steps.run("Test with a real Label Studio", 2.0, || {
        let mut test = check::with_page(check::cargo("test"), &browsers)?;
        test.args(TEST)
            .args(["--", "--ignored", "--nocapture"])
            .env(PROGRAM, &studio);
        process::run(&mut test).with_context(|| {
            let artefacts = check::artefacts().unwrap_or_default();
            format!(
                "the test failed; screenshots lie in {}",
                artefacts.display()
            )
        })
    })
}

/// The program, in an environment of its own among the tools.
fn install(steps: &mut Steps) -> Result<PathBuf> {
    let folder = place::tools().join(format!("label-studio-{VERSION}"));
    let program = program(&folder, "label-studio");
    let title = format!("Label Studio {VERSION}");
    if program.is_file() {
        steps.skip(&title);
        return Ok(program);
    }
    let Some(python) = process::find("python3") else {
        bail!("Label Studio needs python3 (3.10 or newer) with its venv module");
    };
    steps.run(
        &format!("Install {title} into {}", folder.display()),
        4.0,
        || {
            place::remove_tree(&folder)?;
            process::run(process::command(python).args(["-m", "venv"]).arg(&folder))?;
            let mut pip = process::command(self::program(&folder, "pip"));
            let package = format!("label-studio=={VERSION}");
            let installed = process::run(pip.args(["install", "--quiet", &package]));
            if installed.is_err() {
                // Half an environment would pass for a whole one.
                place::remove_tree(&folder)?;
            }
            installed.context(
                "Label Studio could not be installed; is the Python package index reachable?",
            )
        },
    )?;
    Ok(program)
}

fn program(environment: &Path, name: &str) -> PathBuf {
    let folder = if cfg!(windows) { "Scripts" } else { "bin" };
    environment
        .join(folder)
        .join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
