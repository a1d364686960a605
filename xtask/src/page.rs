//! The page in `dist/`: Trunk makes it with the CPU build, a hook of Trunk calls back here for
//! the rest.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::step::Steps;
use crate::wasm::{self, WasmFile};
use crate::{files, model, place, process, sizes, tools};

const CPU_ONLY: &str = "TOUCHSTONE_CPU_ONLY";

/// `cargo xtask build`: everything into `dist/`, with its sizes.
pub fn run(release: bool) -> Result<()> {
    let mut steps = Steps::start();
    let result = build(&mut steps, release);
    steps.print();
    result?;
    sizes::print(&place::dist())?;
    println!(
        "\nServe the folder {} with any static host.",
        place::dist().display()
    );
    if release {
        sizes::check(&place::dist(), sizes::RELEASE_BUDGET)?;
    }
    Ok(())
}

fn build(steps: &mut Steps, release: bool) -> Result<()> {
    first_page(steps)?;
    finish(steps, release)
}

/// From nothing to a page with the model and the CPU build.
pub fn first_page(steps: &mut Steps) -> Result<()> {
    tools::target(steps, tools::WASM)?;
    tools::wasm_bindgen(steps)?;
    model::companion(steps)?;
    cpu_page(steps)
}

/// The page with the CPU build, made by Trunk.
pub fn cpu_page(steps: &mut Steps) -> Result<()> {
    tools::trunk(steps)?;
    steps.run("The page with the CPU build, by Trunk", 4.0, || {
        process::run(process::command("trunk").arg("build").env(CPU_ONLY, "1"))
    })
}

/// Adds the other builds to the page.
pub fn finish(steps: &mut Steps, release: bool) -> Result<()> {
    for file in lacking(release) {
        wasm::step(steps, file, release, &place::dist())?;
    }
    files::list(&place::dist())
}

/// What Trunk does not make: its CPU build is the development one (it builds with `cargo build`,
/// which leaves LTO out here).
fn lacking(release: bool) -> impl Iterator<Item = WasmFile> {
    let files = WasmFile::ALL.into_iter();
    files.filter(move |&file| release || file != WasmFile::Cpu)
}

/// `cargo xtask complete`, Trunk's `post_build` hook: the model, the other builds, the list of files.
pub fn complete() -> Result<()> {
    let staging = env::var_os("TRUNK_STAGING_DIR")
        .map(PathBuf::from)
        .context("`complete` is Trunk's hook; run `cargo xtask build` instead")?;
    ensure_cpu_build(&staging)?;
    place::copy_tree(&place::model(), &staging.join("model"))?;
    complete_wasm(&staging)?;
    files::list(&staging)
}

/// Trunk puts the CPU build where the rust link in `index.html` says.
fn ensure_cpu_build(staging: &Path) -> Result<()> {
    if !staging.join("wasm/cpu/touchstone_bg.wasm").is_file() {
        bail!(
            "Trunk left no wasm/cpu/touchstone_bg.wasm: the rust link of index.html needs \
             `data-target-path=\"wasm/cpu\"`"
        );
    }
    Ok(())
}

/// What a plain `trunk build` lacks: `--release` has all files as shipped.
fn complete_wasm(staging: &Path) -> Result<()> {
    let release = env::var("TRUNK_PROFILE").is_ok_and(|profile| profile == "release");
    let only_cpu = env::var_os(CPU_ONLY).is_some();
    for file in lacking(release).filter(|&file| !only_cpu || file == WasmFile::Cpu) {
        wasm::build(file, release, staging)?;
    }
    Ok(())
}
