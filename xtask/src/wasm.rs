//! One wasm file: cargo, wasm-bindgen, and wasm-opt where there is one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::step::Steps;
use crate::{files, place, process, sizes, tools};

/// Name of the generated module; the worker imports it.
const MODULE: &str = "touchstone";

/// Which of the files; a browser takes one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WasmFile {
    /// The CPU with wasm SIMD.
    Cpu,
    /// The same with relaxed SIMD.
    CpuRelaxed,
    /// The browser's WebGPU.
    WebGpu,
}

impl WasmFile {
    /// All, in the order in which a page gets them.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::WebGpu, Self::CpuRelaxed];

    /// Folder under `wasm/`.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::CpuRelaxed => "cpu-relaxed",
            Self::WebGpu => "webgpu",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::CpuRelaxed => "relaxed SIMD",
            Self::WebGpu => "WebGPU",
        }
    }

    /// Cargo features.
    pub fn features(self) -> &'static str {
        match self {
            Self::Cpu | Self::CpuRelaxed => "web,cpu",
            Self::WebGpu => "webgpu",
        }
    }

    /// Arguments of the compiler for the library alone, which has all that needs them.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::CpuRelaxed => &["-Ctarget-feature=+relaxed-simd"],
            Self::Cpu | Self::WebGpu => &[],
        }
    }

    /// Cargo profile: the WebGPU file's arithmetic runs in shaders, so it is shipped small.
    fn profile(self, release: bool) -> &'static str {
        match (self, release) {
            (_, false) => "web-dev",
            (Self::Cpu | Self::CpuRelaxed, true) => "web-fast",
            (Self::WebGpu, true) => "web-small",
        }
    }

    fn minutes(self, release: bool) -> f32 {
        match (self, release) {
            (Self::Cpu, false) => 4.0,
            (Self::WebGpu, false) => 2.5,
            (Self::Cpu, true) => 6.0,
            (Self::WebGpu, true) => 10.0,
            // Its dependencies are those of the other file for the CPU.
            (Self::CpuRelaxed, _) => 1.0,
        }
    }
}

/// `cargo xtask wasm`: one file into `dist/`, with its size.
pub fn run(file: WasmFile, release: bool) -> Result<()> {
    let mut steps = Steps::start();
    tools::target(&mut steps, tools::WASM)?;
    tools::wasm_bindgen(&mut steps)?;
    step(&mut steps, file, release, &place::dist())?;
    if place::dist().join("index.html").is_file() {
        files::list(&place::dist())?;
    }
    sizes::print(&place::dist().join("wasm"))
}

/// Builds one file into a page, as a step.
pub fn step(steps: &mut Steps, file: WasmFile, release: bool, page: &Path) -> Result<()> {
    let kind = if release { "release" } else { "development" };
    let title = format!("{} build for the browser ({kind})", file.title());
    steps.run(&title, file.minutes(release), || build(file, release, page))
}

/// Builds one file into `PAGE/wasm/FOLDER`. A page served meanwhile sees the old file or the whole
/// new one.
pub fn build(file: WasmFile, release: bool, page: &Path) -> Result<()> {
    compile(file, release)?;
    let output = page.join("wasm").join(file.folder());
    let partial = output.with_extension("partial");
    place::remove_tree(&partial)?;
    bind(&compiled(file, release)?, &partial)?;
    if release {
        optimise(file, &partial.join(format!("{MODULE}_bg.wasm")))?;
    }
    place::remove_tree(&output)?;
    fs::rename(&partial, &output)
        .with_context(|| format!("cannot move the new files to {}", output.display()))
}

/// `cargo rustc --crate-type cdylib`, because cargo leaves LTO out where a library is an rlib too.
fn compile(file: WasmFile, release: bool) -> Result<()> {
    process::run(
        process::cargo()
            .args([
                "rustc",
                "--package",
                "touchstone",
                "--lib",
                "--crate-type",
                "cdylib",
            ])
            .args([
                "--target",
                "wasm32-unknown-unknown",
                "--no-default-features",
            ])
            .args([
                "--features",
                file.features(),
                "--profile",
                file.profile(release),
                "--",
            ])
            .args(file.flags()),
    )
}

fn compiled(file: WasmFile, release: bool) -> Result<PathBuf> {
    let folder = place::target()?
        .join("wasm32-unknown-unknown")
        .join(file.profile(release));
    Ok(folder.join(format!("{MODULE}.wasm")))
}

fn bind(wasm: &Path, output: &Path) -> Result<()> {
    let mut bindgen = process::command("wasm-bindgen");
    bindgen.args(["--target", "web", "--no-typescript", "--out-name", MODULE]);
    // Not `strip = true`: that removes the section in which wasm-bindgen reads the features.
    bindgen.args(["--remove-name-section", "--remove-producers-section"]);
    bindgen.arg("--out-dir").arg(output).arg(wasm);
    process::run(&mut bindgen)
}

/// Saves some more bytes where Binaryen's wasm-opt is installed; the file works without.
fn optimise(file: WasmFile, wasm: &Path) -> Result<()> {
    let Some(wasm_opt) = process::find("wasm-opt") else {
        println!("    no wasm-opt on the PATH: the file stays as the compiler made it");
        return Ok(());
    };
    let level = match file {
        WasmFile::Cpu | WasmFile::CpuRelaxed => "-O3",
        WasmFile::WebGpu => "-Oz",
    };
    let smaller = wasm.with_extension("opt");
    process::run(
        process::command(wasm_opt)
            .args([
                level,
                "--enable-simd",
                "--enable-relaxed-simd",
                "--enable-bulk-memory",
                "--enable-sign-ext",
            ])
            .args([
                "--enable-nontrapping-float-to-int",
                "--enable-mutable-globals",
            ])
            .args(["--enable-reference-types", "--enable-multivalue"])
            .arg(wasm)
            .arg("-o")
            .arg(&smaller),
    )?;
    fs::rename(&smaller, wasm).with_context(|| format!("cannot replace {}", wasm.display()))
}
