//! Chromium, Firefox and their drivers for the browser tests: found, or installed where apt can.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::step::Steps;
use crate::{process, tools};

/// Variable that names the browser, for us and for the tests.
pub const CHROMIUM: &str = "TOUCHSTONE_CHROMIUM";
/// Variable that names its WebDriver, for us and for the tests.
pub const CHROMEDRIVER: &str = "TOUCHSTONE_CHROMEDRIVER";
/// Variable that names Firefox, for us and for the tests.
pub const FIREFOX: &str = "TOUCHSTONE_FIREFOX";
/// Variable that names its WebDriver, for us and for the tests.
pub const GECKODRIVER: &str = "TOUCHSTONE_GECKODRIVER";

const CHROMIUM_NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];
const CHROMIUM_PLACES: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const CHROMEDRIVER_PLACES: [&str; 2] = [
    "/usr/lib/chromium-browser/chromedriver",
    "/usr/lib/chromium/chromedriver",
];
const FIREFOX_NAMES: [&str; 2] = ["firefox", "firefox-esr"];
const FIREFOX_PLACES: [&str; 2] = [
    "/Applications/Firefox.app/Contents/MacOS/firefox",
    "C:/Program Files/Mozilla Firefox/firefox.exe",
];
/// Fonts for the scripts of the examples.
const FONTS: &str = "fonts-noto-core";

/// The browsers and the drivers that fit them.
pub struct Browsers {
    /// Chromium or Chrome.
    pub chromium: PathBuf,
    /// ChromeDriver of the same major version.
    pub chromedriver: PathBuf,
    /// Firefox.
    pub firefox: PathBuf,
    /// Firefox's driver; one fits many versions.
    pub geckodriver: PathBuf,
}

/// `cargo xtask setup-browser`.
pub fn run() -> Result<()> {
    println!();
    for (variable, program) in ensure(&mut Steps::start())?.variables() {
        println!("{variable}={}", program.display());
    }
    Ok(())
}

impl Browsers {
    /// What tells the tests where everything is.
    pub fn variables(&self) -> [(&'static str, &Path); 4] {
        [
            (CHROMIUM, &self.chromium),
            (CHROMEDRIVER, &self.chromedriver),
            (FIREFOX, &self.firefox),
            (GECKODRIVER, &self.geckodriver),
        ]
    }
}

/// Finds all, after installing what apt can; an error says what to install.
pub fn ensure(steps: &mut Steps) -> Result<Browsers> {
    let missing = missing_packages();
    if !missing.is_empty() && can_install() {
        let title = format!("Install {} with apt", missing.join(", "));
        steps.run(&title, 2.0, || install(&missing))?;
    }
    if find_geckodriver().is_none() {
        tools::geckodriver(steps)?;
    }
    let browsers = find()?;
    ensure_same_version(&browsers)?;
    Ok(browsers)
}

/// Installs a package with apt where that is possible and it is missing.
pub fn ensure_package(steps: &mut Steps, package: &'static str) -> Result<()> {
    if is_installed_by_apt(package) || !can_install() {
        return Ok(());
    }
    steps.run(&format!("Install {package} with apt"), 1.0, || {
        install(&[package])
    })
}

fn find() -> Result<Browsers> {
    let (Some(chromium), Some(chromedriver)) = (find_chromium(), find_chromedriver()) else {
        bail!(
            "the browser tests need Chromium (or Chrome) and the ChromeDriver of the same version. \
             Debian: `apt install chromium chromium-driver {FONTS}`; macOS: `brew install \
             chromedriver` beside Chrome; elsewhere: \
             https://googlechromelabs.github.io/chrome-for-testing. Where they are not on the PATH, \
             name them by {CHROMIUM} and {CHROMEDRIVER}"
        );
    };
    let (Some(firefox), Some(geckodriver)) = (find_firefox(), find_geckodriver()) else {
        bail!(
            "the browser tests need Firefox. Debian: `apt install firefox-esr`; elsewhere: \
             https://www.mozilla.org/firefox. Where it is not on the PATH, name it by {FIREFOX}"
        );
    };
    Ok(Browsers {
        chromium,
        chromedriver,
        firefox,
        geckodriver,
    })
}

fn find_chromium() -> Option<PathBuf> {
    named_by(CHROMIUM)
        .or_else(|| CHROMIUM_NAMES.iter().find_map(|name| process::find(name)))
        .or_else(|| first_file(&CHROMIUM_PLACES))
        .or_else(find_chrome_on_windows)
}

fn find_chromedriver() -> Option<PathBuf> {
    named_by(CHROMEDRIVER)
        .or_else(|| process::find("chromedriver"))
        .or_else(|| first_file(&CHROMEDRIVER_PLACES))
}

fn find_firefox() -> Option<PathBuf> {
    named_by(FIREFOX)
        .or_else(|| FIREFOX_NAMES.iter().find_map(|name| process::find(name)))
        .or_else(|| first_file(&FIREFOX_PLACES))
}

fn find_geckodriver() -> Option<PathBuf> {
    named_by(GECKODRIVER).or_else(|| process::find("geckodriver"))
}

fn find_chrome_on_windows() -> Option<PathBuf> {
    ["ProgramFiles", "ProgramFiles(x86)", "LocalAppData"]
        .iter()
        .filter_map(env::var_os)
        .map(|folder| Path::new(&folder).join("Google/Chrome/Application/chrome.exe"))
        .find(|file| file.is_file())
}

fn named_by(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .map(PathBuf::from)
        .filter(|file| file.is_file())
}

fn first_file(places: &[&str]) -> Option<PathBuf> {
    places.iter().map(PathBuf::from).find(|file| file.is_file())
}

/// What to ask apt for: never a second browser beside one that is there.
fn missing_packages() -> Vec<&'static str> {
    let mut packages = Vec::new();
    if find_chromium().is_none() {
        packages.push("chromium");
    }
    if find_chromedriver().is_none() {
        packages.push("chromium-driver");
    }
    if find_firefox().is_none() {
        packages.push("firefox-esr");
    }
    if !is_installed_by_apt(FONTS) {
        packages.push(FONTS);
    }
    packages
}

fn can_install() -> bool {
    let is_root = process::probe(process::command("id").arg("-u")).is_some_and(|id| id == "0");
    is_root && process::find("apt-get").is_some()
}

fn is_installed_by_apt(package: &str) -> bool {
    process::probe(process::command("dpkg-query").args(["-W", "-f=${Status}", package]))
        .is_some_and(|status| status.ends_with("installed") && !status.contains("not-installed"))
}

fn install(packages: &[&str]) -> Result<()> {
    let apt = || {
        let mut apt = process::command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
        apt
    };
    process::run(apt().arg("update"))
        .and_then(|()| {
            process::run(
                apt()
                    .args(["install", "--yes", "--no-install-recommends"])
                    .args(packages),
            )
        })
        .with_context(|| format!("apt could not install {}", packages.join(", ")))
}

/// ChromeDriver refuses another major version, but only when a test already runs.
fn ensure_same_version(browsers: &Browsers) -> Result<()> {
    let (Some(chromium), Some(driver)) = (
        major_version(&browsers.chromium),
        major_version(&browsers.chromedriver),
    ) else {
        return Ok(());
    };
    if chromium != driver {
        bail!(
            "{} is version {chromium}, {} is version {driver}: install the driver of the same \
             version, or name a fitting pair by {CHROMIUM} and {CHROMEDRIVER}",
            browsers.chromium.display(),
            browsers.chromedriver.display()
        );
    }
    Ok(())
}

fn major_version(program: &Path) -> Option<u32> {
    // On Windows, Chrome opens a window instead of answering.
    if cfg!(windows) {
        return None;
    }
    process::probe(process::command(program).arg("--version"))
        .as_deref()
        .and_then(major_in)
}

/// First number of the first word that looks like a version.
fn major_in(said: &str) -> Option<u32> {
    said.split_whitespace()
        .find_map(|word| word.split_once('.')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_say() {
        assert_eq!(
            major_in("Chromium 156.0.8078.73 built on Debian"),
            Some(156)
        );
        assert_eq!(
            major_in("ChromeDriver 156.0.8078.73 (abc-refs/heads)"),
            Some(156)
        );
        assert_eq!(major_in("no version"), None);
    }
}
