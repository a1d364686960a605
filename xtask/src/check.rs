//! `cargo xtask test`: every test, in one order, stopping at the first failure.
//!
//! Everything native is compiled in the release profile: tests run the encoder, and the lints, the
//! documentation, the tests and the companion then share their dependencies.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::browser::{self, Browsers};
use crate::step::Steps;
use crate::wasm::WasmFile;
use crate::{model, page, place, process, sizes, tools};

/// Runs all; `all` adds the native GPU and the release builds with their budgets.
pub fn run(all: bool) -> Result<()> {
    timed(|steps| everything(steps, all))
}

/// Runs what needs a native wgpu device.
pub fn run_gpu() -> Result<()> {
    timed(gpu)
}

/// Runs what has instructions of ARM's, on an emulated CPU.
pub fn run_arm() -> Result<()> {
    timed(arm)
}

fn timed(tests: impl FnOnce(&mut Steps) -> Result<()>) -> Result<()> {
    let mut steps = Steps::start();
    let result = tests(&mut steps);
    steps.print();
    result?;
    println!("\nAll tests passed.");
    Ok(())
}

fn everything(steps: &mut Steps, all: bool) -> Result<()> {
    format(steps)?;
    let browsers = browser::ensure(steps)?;
    tools::target(steps, tools::WASM)?;
    lint(steps)?;
    document(steps)?;
    compile(steps)?;
    build_page(steps)?;
    test(steps, &browsers)?;
    if all {
        gpu(steps)?;
        release(steps, &browsers)?;
    }
    Ok(())
}

fn format(steps: &mut Steps) -> Result<()> {
    steps.run("Formatting", 0.0, || {
        process::run(process::cargo().args(["fmt", "--all", "--check"]))
            .context("some files are not formatted; run `cargo fmt --all`")
    })
}

fn lint(steps: &mut Steps) -> Result<()> {
    const ADVICE: &str = "clippy found something; its message stands above";
    steps.run("Lints, native", 4.0, || {
        let mut clippy = cargo("clippy");
        process::run(clippy.args(["--workspace", "--all-targets", "--", "--deny", "warnings"]))
            .context(ADVICE)
    })?;
    for file in WasmFile::ALL {
        let title = format!("Lints, {} build for the browser", file.title());
        steps.run(&title, 2.0, || {
            let mut clippy = cargo("clippy");
            clippy.env("CLIPPY_CONF_DIR", place::root().join(".clippy-wasm"));
            for_browser(&mut clippy, file).args(["--", "--deny", "warnings"]);
            process::run(clippy.args(file.flags())).context(ADVICE)
        })?;
    }
    Ok(())
}

fn document(steps: &mut Steps) -> Result<()> {
    const ADVICE: &str = "rustdoc warns; its message stands above";
    steps.run("Documentation without warnings", 0.5, || {
        process::run(rustdoc().arg("--workspace")).context(ADVICE)?;
        process::run(for_browser(&mut rustdoc(), WasmFile::WebGpu)).context(ADVICE)
    })
}

/// Compiles the tests before the page is built. This makes the companion too, in the one set of
/// features that the tests use.
fn compile(steps: &mut Steps) -> Result<()> {
    steps.run("Compile the tests and the companion", 10.0, || {
        process::run(cargo("test").arg("--no-run"))
    })
}

fn build_page(steps: &mut Steps) -> Result<()> {
    tools::wasm_bindgen(steps)?;
    page::cpu_page(steps)?;
    page::finish(steps, false)?;
    sizes::print(&place::dist())?;
    sizes::check(&place::dist(), sizes::DEVELOPMENT_BUDGET)
}

fn test(steps: &mut Steps, browsers: &Browsers) -> Result<()> {
    steps.run("Tests of xtask", 0.5, || {
        process::run(process::cargo().args(["test", "--quiet", "--package", "xtask"]))
    })?;
    let checkpoint = model::checkpoint(steps)?;
    steps.run("Tests, native and in the browser", 5.0, || {
        let artefacts = artefacts()?;
        let mut tests = with_page(cargo("test"), browsers)?;
        tests.env("TOUCHSTONE_CHECKPOINT", &checkpoint);
        process::run(&mut tests).with_context(|| {
            format!(
                "a test failed; screenshots of the browser lie in {}",
                artefacts.display()
            )
        })
    })
}

/// Every encoder on a native wgpu device: the machine's own, or Mesa's Vulkan on the CPU.
fn gpu(steps: &mut Steps) -> Result<()> {
    if cfg!(target_os = "linux") {
        browser::ensure_package(steps, "mesa-vulkan-drivers")?;
    }
    steps.run("Tests of the encoders on a native GPU", 10.0, || {
        process::run(cargo("test").args(["--features", "gpu", "--test", "encoders"])).context(
            "a test failed; without any Vulkan, Metal or DX12 device install one, such as Mesa's \
             on the CPU (Debian: mesa-vulkan-drivers)",
        )
    })
}

/// The encoders on an emulated ARM CPU, with the default model's golden texts.
fn arm(steps: &mut Steps) -> Result<()> {
    for package in [
        "gcc-aarch64-linux-gnu",
        "libc6-dev-arm64-cross",
        "qemu-user",
    ] {
        browser::ensure_package(steps, package)?;
    }
    tools::target(steps, tools::ARM)?;
    steps.run("Tests of the encoders on an emulated ARM CPU", 12.0, || {
        let mut tests = cargo("test");
        tests.env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
            "aarch64-linux-gnu-gcc",
        );
        tests.env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
            "qemu-aarch64 -L /usr/aarch64-linux-gnu",
        );
        tests.args(["--target", tools::ARM, "--no-default-features"]);
        tests.args(["--features", "cli", "--test", "encoders", "--lib"]);
        process::run(&mut tests).context(
            "a test failed; they need a cross compiler and an emulator (Debian: \
             gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)",
        )
    })
}

/// The files as shipped: their sizes, and the browser tests once more on them.
fn release(steps: &mut Steps, browsers: &Browsers) -> Result<()> {
    page::finish(steps, true)?;
    sizes::print(&place::dist())?;
    sizes::check(&place::dist(), sizes::RELEASE_BUDGET)?;
    steps.run("Tests in the browser, release builds", 3.0, || {
        process::run(with_page(cargo("test"), browsers)?.args(["--test", "browser"]))
            .context("a test failed on the release builds that passes on the development ones")
    })
}

/// Cargo in the profile of the tests.
pub fn cargo(command: &str) -> Command {
    let mut cargo = process::cargo();
    cargo.args([command, "--release"]);
    cargo
}

fn rustdoc() -> Command {
    let mut doc = cargo("doc");
    doc.arg("--no-deps").env("RUSTDOCFLAGS", "-Dwarnings");
    doc
}

fn for_browser(cargo: &mut Command, file: WasmFile) -> &mut Command {
    cargo
        .args([
            "--package",
            "touchstone",
            "--lib",
            "--target",
            "wasm32-unknown-unknown",
        ])
        .args(["--no-default-features", "--features", file.features()])
}

/// Tells the tests where the page and the browsers are, and where screenshots go.
pub fn with_page(mut cargo: Command, browsers: &Browsers) -> Result<Command> {
    cargo
        .env("TOUCHSTONE_DIST", place::dist())
        .env("TOUCHSTONE_ARTEFACTS", artefacts()?)
        .env("TOUCHSTONE_XTASK", std::env::current_exe()?)
        .envs(browsers.variables());
    Ok(cargo)
}

/// Where tests leave their screenshots.
pub fn artefacts() -> Result<PathBuf> {
    Ok(place::target()?.join("artefacts"))
}
