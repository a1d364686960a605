//! `cargo xtask widget`: the element as an npm package.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::place;

/// What the package is entered by; the rest is what these import.
const ENTRIES: [&str; 2] = ["widget-define.js", "widget.js"];
/// The version in the template.
const UNSET: &str = "\"version\": \"0.0.0\"";

/// Lays the package out and says how to go on.
pub fn run() -> Result<()> {
    let package = place::target()?.join("widget");
    lay_out(&package)?;
    println!("The package lies in {}.", package.display());
    println!("`npm install && npm pack` there makes its types and the archive.");
    Ok(())
}

fn lay_out(package: &Path) -> Result<()> {
    place::remove_tree(package)?;
    place::copy_tree(&place::root().join("packages/widget"), package)?;
    let web = place::root().join("web");
    for file in modules(&web)? {
        copy(&web.join(&file), &package.join(&file))?;
    }
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        copy(&place::root().join(licence), &package.join(licence))?;
    }
    set_version(&package.join("package.json"))
}

/// The entries and all that they import, for values or for types, relative to `web`.
fn modules(web: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut open: Vec<PathBuf> = ENTRIES.map(PathBuf::from).to_vec();
    while let Some(file) = open.pop() {
        if found.contains(&file) {
            continue;
        }
        let code = read(&web.join(&file))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        open.extend(imports(&code).map(|path| join(folder, path)));
        found.insert(file);
    }
    Ok(found)
}

/// Relative paths in `from "..."` and `import("...")`.
fn imports(code: &str) -> impl Iterator<Item = &str> {
    let starts = ["from \"", "import(\""];
    let after = starts
        .into_iter()
        .flat_map(|start| code.split(start).skip(1));
    let paths = after
        .filter_map(|rest| rest.split_once('"'))
        .map(|(path, _)| path);
    paths.filter(|path| path.starts_with('.') && path.ends_with(".js"))
}

/// `../` resolved: names in an archive have none.
fn join(folder: &Path, path: &str) -> PathBuf {
    let mut joined = folder.to_owned();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(joined.pop()),
            name => joined.push(name),
        }
    }
    joined
}

/// The version is Cargo's.
fn set_version(file: &Path) -> Result<()> {
    let version = place::locked_version("touchstone")?;
    let text = read(file)?;
    let set = text.replace(UNSET, &format!("\"version\": \"{version}\""));
    fs::write(file, set).with_context(|| format!("cannot write {}", file.display()))
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let copied = fs::copy(from, to).map(drop);
    copied.with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes;

    /// Bytes of all scripts after gzip: what a tool adds to its own page.
    const BUDGET: u64 = 35_000;

    #[test]
    fn values_and_types_are_imports() {
        let code = "import { el } from \"../dom.js\";\n/** @type {import(\"./view.js\").View} */\n\
                    const text = \"./not-imported.js\";";
        assert_eq!(
            imports(code).collect::<Vec<_>>(),
            ["../dom.js", "./view.js"]
        );
        assert_eq!(join(Path::new("widget"), "../dom.js"), Path::new("dom.js"));
    }

    #[test]
    fn the_package_is_complete_and_small() {
        let package = std::env::temp_dir().join(format!("xtask-package-{}", std::process::id()));
        lay_out(&package).unwrap();
        let files = place::files_below(&package);
        let names: Vec<_> = files
            .iter()
            .map(|f| f.strip_prefix(&package).unwrap())
            .collect();
        for needed in [
            "widget.js",
            "widget/view.js",
            "gauge.js",
            "package.json",
            "LICENSE-MIT",
        ] {
            assert!(
                names.contains(&Path::new(needed)),
                "{needed} is not in {names:?}"
            );
        }
        let foreign = ["app.js", "client.js", "worker.js"];
        assert!(
            !names
                .iter()
                .any(|name| foreign.iter().any(|f| name.ends_with(f))),
            "{names:?}"
        );
        assert!(!read(&package.join("package.json")).unwrap().contains(UNSET));
        let scripts = files
            .iter()
            .filter(|file| file.extension() == Some("js".as_ref()));
        let size: u64 = scripts.map(|file| sizes::gzip_size(file).unwrap()).sum();
        assert!(size < BUDGET, "{size} bytes after gzip, budget {BUDGET}");
        place::remove_tree(&package).unwrap();
    }
}
