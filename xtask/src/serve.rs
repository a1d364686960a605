//! `cargo xtask serve`: a page as soon as there is one, then WebGPU.

use std::env;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::step::Steps;
use crate::{model, page, place, process};

/// Half-second looks at the port before the server counts as failed.
const PATIENCE: u32 = 40;

/// Builds what is missing, serves on loopback, stays until Ctrl-C.
pub fn run(port: u16, release: bool, open: bool) -> Result<()> {
    ensure_free(port)?;
    let mut steps = Steps::start();
    if let Err(error) = page::first_page(&mut steps) {
        steps.print();
        return Err(error);
    }
    let mut server = Server::start(port)?;
    announce(port, open);
    let finished = page::finish(&mut steps, release);
    steps.print();
    report(&finished, port);
    server.wait()?;
    finished
}

/// Ends the server when the command ends some other way than by Ctrl-C.
struct Server(Child);

impl Server {
    fn start(port: u16) -> Result<Self> {
        let mut command = model::touchstone()?;
        command
            .arg("serve")
            .arg(place::dist())
            .args(["--port", &port.to_string()]);
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start the companion")?;
        let mut server = Self(child);
        server.wait_until_open(port)?;
        Ok(server)
    }

    fn wait_until_open(&mut self, port: u16) -> Result<()> {
        for _ in 0..PATIENCE {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.0.try_wait()? {
                bail!("`touchstone serve` ended at once ({status}); its message stands above");
            }
            sleep(Duration::from_millis(500));
        }
        bail!("`touchstone serve` does not answer on port {port}")
    }

    fn wait(&mut self) -> Result<()> {
        let status = self.0.wait()?;
        if !status.success() {
            bail!("the server ended ({status})");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is as good as ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asked before the long work, not after it.
fn ensure_free(port: u16) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|error| {
        anyhow!("port {port} cannot be used ({error}); take another: `cargo xtask serve --port 8081`")
    })
}

fn address(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}

fn announce(port: u16, open: bool) {
    println!(
        "\n    The page is up, with the CPU build:\n\n        {}\n",
        address(port)
    );
    println!("    The WebGPU build follows; you can use the page meanwhile.");
    if open {
        open_browser(&address(port));
    }
}

fn report(finished: &Result<()>, port: u16) {
    match finished {
        Ok(()) => println!("\n    Reload {}: it now offers WebGPU.", address(port)),
        Err(error) => {
            eprintln!("\n    That failed: {error:#}");
            println!("    {} goes on with the builds it has.", address(port));
        }
    }
    println!("    Ctrl-C ends the server.");
}

/// A convenience: where it fails, the address on the screen does.
fn open_browser(address: &str) {
    if let Some(mut opener) = opener() {
        let _ = opener
            .arg(address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
    }
}

fn opener() -> Option<Command> {
    let mut command = match env::consts::OS {
        "macos" => process::command("open"),
        "windows" => process::command("cmd"),
        _ if has_display() => process::command("xdg-open"),
        _ => return None,
    };
    if cfg!(windows) {
        command.args(["/c", "start", ""]);
    }
    Some(command)
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}
