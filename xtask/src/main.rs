//! `cargo xtask`: everything between a fresh clone and a served, tested page.

mod browser;
mod check;
mod files;
mod label_studio;
mod model;
mod options;
mod package;
mod page;
mod place;
mod process;
mod serve;
mod sizes;
mod step;
mod tools;
mod wasm;

use std::process::ExitCode;

use anyhow::Result;
use options::{Command, HELP};

fn main() -> ExitCode {
    let command = match options::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("error: {message}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Help => println!("{HELP}"),
        Command::Serve {
            port,
            release,
            open,
        } => serve::run(port, release, open)?,
        Command::Build { release } => page::run(release)?,
        Command::Wasm { file, release } => wasm::run(file, release)?,
        Command::Test { all } => check::run(all)?,
        Command::TestGpu => check::run_gpu()?,
        Command::TestArm => check::run_arm()?,
        Command::TestLabelStudio => label_studio::run()?,
        Command::SetupBrowser => browser::run()?,
        Command::Complete => page::complete()?,
        Command::ListFiles { page } => files::list(&page)?,
        Command::Widget => package::run()?,
    }
    Ok(())
}
