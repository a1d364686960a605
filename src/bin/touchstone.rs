//! The companion's entry point: exit 0, 1 (failed, message on standard error) or 2 (usage).

use std::process::ExitCode;

use clap::Parser;
use touchstone::cli::args::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
