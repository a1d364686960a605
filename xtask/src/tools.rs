//! The tools of the browser build, installed into a local folder.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::step::Steps;
use crate::{place, process};

/// For browsers.
pub const WASM: &str = "wasm32-unknown-unknown";
/// For Linux on ARM.
pub const ARM: &str = "aarch64-unknown-linux-gnu";
/// 0.22 needs a newer rustc than this package asks for.
const TRUNK_VERSION: &str = "0.21.14";
const GECKODRIVER_VERSION: &str = "0.37.1";

/// A program from the crate registry.
struct Tool {
    package: &'static str,
    program: &'static str,
    version: String,
    options: &'static [&'static str],
    /// 0 where the program mostly waits: it is compiled in about half the time.
    opt_level: &'static str,
    minutes: f32,
}

/// Makes sure that rustc can compile for a target.
pub fn target(steps: &mut Steps, target: &str) -> Result<()> {
    if has_target(target) {
        return Ok(());
    }
    if process::find("rustup").is_none() {
        bail!(
            "this Rust has no standard library for {target}, and there is no rustup to add \
             it. Install Rust from https://rustup.rs, or your distribution's package for that target"
        );
    }
    steps.run(&format!("Add Rust's {target} target"), 0.5, || {
        process::run(process::command("rustup").args(["target", "add", target]))
    })
}

/// Makes sure of `wasm-bindgen` in exactly the version of the library in `Cargo.lock`.
pub fn wasm_bindgen(steps: &mut Steps) -> Result<()> {
    let tool = Tool {
        package: "wasm-bindgen-cli",
        program: "wasm-bindgen",
        version: place::locked_version("wasm-bindgen")?,
        options: &["--bin", "wasm-bindgen"],
        opt_level: "1",
        minutes: 2.0,
    };
    ensure(&tool, steps)
}

/// Makes sure of Trunk.
pub fn trunk(steps: &mut Steps) -> Result<()> {
    let tool = Tool {
        package: "trunk",
        program: "trunk",
        version: TRUNK_VERSION.to_string(),
        options: &["--no-default-features", "--features", "rustls"],
        opt_level: "0",
        minutes: 5.0,
    };
    ensure(&tool, steps)
}

/// Makes sure of Firefox's WebDriver, which Debian does not have.
pub fn geckodriver(steps: &mut Steps) -> Result<()> {
    let tool = Tool {
        package: "geckodriver",
        program: "geckodriver",
        version: GECKODRIVER_VERSION.to_string(),
        options: &[],
        opt_level: "0",
        minutes: 2.0,
    };
    ensure(&tool, steps)
}

fn has_target(target: &str) -> bool {
    let mut rustc = process::command("rustc");
    process::probe(rustc.args(["--print", "target-libdir", "--target", target]))
        .is_some_and(|folder| Path::new(&folder).is_dir())
}

fn ensure(tool: &Tool, steps: &mut Steps) -> Result<()> {
    let title = format!("{} {}", tool.package, tool.version);
    if is_installed(tool) {
        steps.skip(&title);
        return Ok(());
    }
    let title = format!("Install {title} into {}", place::tools().display());
    steps.run(&title, tool.minutes, || install(tool))
}

/// True where the first program of this name on the path has the right version: that one is run.
fn is_installed(tool: &Tool) -> bool {
    process::find(tool.program)
        .and_then(|program| process::probe(process::command(program).arg("--version")))
        .is_some_and(|said| said.split_whitespace().nth(1) == Some(&tool.version))
}

fn install(tool: &Tool) -> Result<()> {
    let locked = process::run(cargo_install(tool).arg("--locked"));
    if let Err(error) = locked {
        // A registry mirror may lack a version that the tool's own lock file names.
        println!("    {error}\n    trying again with the newest dependencies this registry has");
        process::run(&mut cargo_install(tool)).with_context(|| {
            format!(
                "{} could not be installed. Is the crate registry reachable? A {} {} anywhere on \
                 the PATH is taken as well",
                tool.package, tool.program, tool.version
            )
        })?;
    }
    place::remove_tree(&build_folder())?;
    if !is_installed(tool) {
        bail!(
            "{} was installed, but does not say it is {}",
            tool.program,
            tool.version
        );
    }
    Ok(())
}

fn cargo_install(tool: &Tool) -> Command {
    let mut cargo = process::cargo();
    cargo
        .args(["install", tool.package, "--version"])
        .arg(format!("={}", tool.version));
    cargo
        .args(tool.options)
        .arg("--force")
        .arg("--root")
        .arg(place::tools());
    cargo.env("CARGO_TARGET_DIR", build_folder());
    // Their own release profiles are made for shipping; ours only has to be here soon.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "off");
    cargo.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", tool.opt_level);
    cargo
}

fn build_folder() -> std::path::PathBuf {
    place::tools().join("build")
}
