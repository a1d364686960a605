//! Starting other programs.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::place;

/// Cargo, in the checkout, without what the caller's own build left in the environment.
pub fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program in the checkout, with the tool folder first on its path.
pub fn command(program: impl Into<OsString>) -> Command {
    let mut command = Command::new(program.into());
    command.current_dir(place::root());
    command.env("PATH", path_with_tools());
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_leftover) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs to the end; a failure names the command.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", line(command));
    }
    Ok(())
}

/// Runs to the end and gives what it wrote to standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", line(command)))?;
    if !output.status.success() {
        bail!("{} failed ({})", line(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs quietly; nothing when it cannot start or fails.
pub fn probe(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// First file of this name on the path (tool folder included).
pub fn find(program: &str) -> Option<PathBuf> {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&path_with_tools())
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file())
}

/// Folder of installed tools' programs.
pub fn tool_programs() -> PathBuf {
    place::tools().join("bin")
}

fn path_with_tools() -> OsString {
    let old = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tool_programs()).chain(env::split_paths(&old));
    env::join_paths(folders).unwrap_or(old)
}

/// Variables that would change or needlessly repeat a build: compiler flags (RUSTFLAGS replaces the
/// wasm flags of `.cargo/config.toml`), a foreign default target, and what `cargo run` tells us
/// about xtask itself (some build scripts watch those). NO_COLOR=1 stops Trunk 0.21, which wants
/// `true` there.
fn is_leftover(name: &str) -> bool {
    const PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    const NAMES: [&str; 5] = [
        "CARGO_BUILD_TARGET",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "OUT_DIR",
        "NO_COLOR",
    ];
    name.ends_with("RUSTFLAGS")
        || name.ends_with("RUSTDOCFLAGS")
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || NAMES.contains(&name)
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_stem()
        .unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    let words: Vec<_> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compiler_flags_of_the_caller_do_not_leak() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTDOCFLAGS",
            "CARGO_PKG_NAME",
        ] {
            assert!(is_leftover(name), "{name}");
        }
        for name in ["PATH", "CARGO_TARGET_DIR", "CARGO_HOME", "RUSTUP_TOOLCHAIN"] {
            assert!(!is_leftover(name), "{name}");
        }
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(cargo().args(["no-such-command"]).stderr(Stdio::null()));
        assert!(error.is_err_and(|e| e.to_string().contains("`cargo no-such-command` failed")));
    }
}
