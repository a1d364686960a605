//! Where things lie: the checkout, its build folder, its tools, its page.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::process;

/// The checkout.
pub fn root() -> PathBuf {
    // Cargo sets the variable for `cargo run`; the compiled-in value serves a bare call.
    let xtask = std::env::var("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_string());
    let xtask = PathBuf::from(xtask);
    xtask.parent().map(Path::to_path_buf).unwrap_or(xtask)
}

/// Cargo's build folder, wherever variables or settings put it.
pub fn target() -> Result<PathBuf> {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    if let Some(target) = TARGET.get() {
        return Ok(target.clone());
    }
    let asked =
        process::output(process::cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let target = string_field(&asked, "target_directory")
        .context("`cargo metadata` did not say where the target folder is")?;
    Ok(TARGET.get_or_init(|| PathBuf::from(target)).clone())
}

/// Where tools are installed: `TOUCHSTONE_TOOLS`, or `.tools` in the checkout.
pub fn tools() -> PathBuf {
    match std::env::var_os("TOUCHSTONE_TOOLS") {
        Some(folder) if !folder.is_empty() => root().join(folder),
        _ => root().join(".tools"),
    }
}

/// The served page.
pub fn dist() -> PathBuf {
    root().join("dist")
}

/// The default model.
pub fn model() -> PathBuf {
    root().join("models/default")
}

/// The native companion, built in the release profile.
pub fn companion() -> Result<PathBuf> {
    let name = format!("touchstone{}", std::env::consts::EXE_SUFFIX);
    Ok(target()?.join("release").join(name))
}

/// Version of a package in `Cargo.lock`.
pub fn locked_version(package: &str) -> Result<String> {
    let path = root().join("Cargo.lock");
    let lock =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    match version_in(&lock, package) {
        Some(version) => Ok(version),
        None => bail!("{} has no package `{package}`", path.display()),
    }
}

/// Copies a folder.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in
        fs::read_dir(from).with_context(|| format!("cannot read the folder {}", from.display()))?
    {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            copy_file(&entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Copies a file; the error names both ends.
fn copy_file(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Removes a folder that may not be there.
pub fn remove_tree(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Every file below a folder (or the file itself), sorted; nothing where there is nothing.
pub fn files_below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_path_buf()];
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .flat_map(|entry| files_below(&entry.path()))
        .collect();
    files.sort();
    files
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    Some(version.trim_end_matches('"').to_string())
}

/// A string field of flat JSON, enough for a path that cargo wrote.
fn string_field(json: &str, field: &str) -> Option<String> {
    let (_, rest) = json.split_once(&format!("\"{field}\":\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("\\\\", "\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_names_the_version() {
        let lock = "[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"0.1.0\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in(lock, "wasm"), None);
    }

    #[test]
    fn windows_paths_come_out_of_json() {
        let json = r#"{"a":1,"target_directory":"C:\\work\\target","b":2}"#;
        assert_eq!(
            string_field(json, "target_directory").as_deref(),
            Some(r"C:\work\target")
        );
    }

    #[test]
    fn this_checkout_has_a_lock_file() {
        assert!(locked_version("wasm-bindgen").is_ok());
    }
}
