//! The command line.

use std::path::PathBuf;

use crate::wasm::WasmFile;

/// What `cargo xtask` alone prints.
pub const HELP: &str = "\
cargo xtask COMMAND

  serve [--port 8080] [--release] [--no-open]
            from nothing to a page: install what is missing, build, fetch and pack the default
            model, serve it. The page is up with the CPU build first; the others follow.
  build [--release]
            the same without serving: dist/ is then a folder for any static host
  test [--all]
            every test, browser included. --all adds test-gpu, the release builds and their size
            budgets
  test-gpu  every encoder against its reference on a native GPU, or on Mesa's Vulkan on the CPU,
            which is installed with apt where run as root
  test-arm  every encoder on an ARM CPU that QEMU emulates, which is installed like that
  test-label-studio
            the companion with a real Label Studio, which is installed among the tools (about 1 GB)
  wasm cpu|cpu-relaxed|webgpu [--release]
            one wasm file, into dist/wasm/
  list-files DIR
            the service worker's list of a page's files, after changes by hand
  widget    the element <touchstone-scorer> as an npm package, into target/widget
  setup-browser
            find Chromium, Firefox and their drivers, or install them (browsers with apt where
            run as root)

Environment
  TOUCHSTONE_TOOLS         where tools are installed (default: .tools in the checkout)
  TOUCHSTONE_CPU_ONLY      set: `trunk build` makes the CPU file without relaxed SIMD only
  TOUCHSTONE_CHROMIUM, TOUCHSTONE_CHROMEDRIVER, TOUCHSTONE_FIREFOX, TOUCHSTONE_GECKODRIVER
                           the browsers of the tests, where they are not found by themselves
  CARGO_TARGET_DIR         where builds and the packed model go (default: target)";

const DEFAULT_PORT: u16 = 8080;

/// A command line, understood.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Print [`HELP`].
    Help,
    /// Build everything and serve it.
    Serve {
        /// Port on loopback.
        port: u16,
        /// Build the files as shipped.
        release: bool,
        /// Open a browser where there is a display.
        open: bool,
    },
    /// Build everything into `dist/`.
    Build {
        /// Build the files as shipped.
        release: bool,
    },
    /// Build one wasm file.
    Wasm {
        /// Which of them.
        file: WasmFile,
        /// Build it as shipped.
        release: bool,
    },
    /// Run every test.
    Test {
        /// With the native GPU, the release builds and their budgets.
        all: bool,
    },
    /// The encoders' tests on a native wgpu device.
    TestGpu,
    /// The encoders' tests on an emulated ARM CPU.
    TestArm,
    /// Run the test with a real Label Studio.
    TestLabelStudio,
    /// Find or install the browsers of the tests.
    SetupBrowser,
    /// Trunk's `post_build` hook; not for people.
    Complete,
    /// Lay out the element's npm package.
    Widget,
    /// Lists a page's files for its service worker: after changes by hand, and for the tests.
    ListFiles {
        /// The page's folder.
        page: PathBuf,
    },
}

/// Reads the arguments after the program name; an error says which one is wrong.
pub fn parse(args: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut rest = Rest(args.collect());
    let command = match rest.word().as_deref() {
        None | Some("help") => Command::Help,
        Some("serve") => Command::Serve {
            port: rest.value("--port")?.unwrap_or(DEFAULT_PORT),
            release: rest.flag("--release"),
            open: !rest.flag("--no-open"),
        },
        Some("build") => Command::Build {
            release: rest.flag("--release"),
        },
        Some("wasm") => Command::Wasm {
            file: rest.wasm_file()?,
            release: rest.flag("--release"),
        },
        Some("test") => Command::Test {
            all: rest.flag("--all"),
        },
        Some("test-gpu") => Command::TestGpu,
        Some("test-arm") => Command::TestArm,
        Some("test-label-studio") => Command::TestLabelStudio,
        Some("setup-browser") => Command::SetupBrowser,
        Some("widget") => Command::Widget,
        Some("complete") => Command::Complete,
        Some("list-files") => Command::ListFiles {
            page: rest
                .word()
                .ok_or("name the page's folder: `list-files dist`")?
                .into(),
        },
        Some(other) => return Err(format!("there is no command `{other}`")),
    };
    let help = rest.flag("--help") | rest.flag("-h");
    match rest.0.first() {
        _ if help => Ok(Command::Help),
        Some(left) => Err(format!("`{left}` is not understood here")),
        None => Ok(command),
    }
}

/// Arguments nobody has taken yet.
struct Rest(Vec<String>);

impl Rest {
    /// Takes the next argument unless it is an option.
    fn word(&mut self) -> Option<String> {
        let is_word = self.0.first().is_some_and(|first| !first.starts_with('-'));
        is_word.then(|| self.0.remove(0))
    }

    fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|arg| arg != name);
        self.0.len() < before
    }

    /// Takes `--name VALUE` or `--name=VALUE`.
    fn value<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let is_it = |arg: &String| arg.split('=').next() == Some(name);
        let Some(at) = self.0.iter().position(is_it) else {
            return Ok(None);
        };
        let option = self.0.remove(at);
        let value = match option.split_once('=') {
            Some((_, value)) => value.to_string(),
            None if at < self.0.len() => self.0.remove(at),
            None => return Err(format!("{name} needs a value")),
        };
        value
            .parse()
            .map(Some)
            .map_err(|_| format!("`{value}` does not fit {name}"))
    }

    fn wasm_file(&mut self) -> Result<WasmFile, String> {
        let word = self.word().unwrap_or_default();
        let file = WasmFile::ALL.into_iter().find(|file| file.folder() == word);
        file.ok_or_else(|| {
            let known = WasmFile::ALL.map(|file| format!("`wasm {}`", file.folder()));
            format!("say which file: {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn nothing_prints_help() {
        assert_eq!(parsed(""), Ok(Command::Help));
        assert_eq!(parsed("--help"), Ok(Command::Help));
        assert_eq!(parsed("serve --help"), Ok(Command::Help));
    }

    #[test]
    fn serve_takes_its_options_in_any_order() {
        let expected = Command::Serve {
            port: 9000,
            release: true,
            open: false,
        };
        assert_eq!(
            parsed("serve --no-open --release --port 9000"),
            Ok(expected)
        );
        let expected = Command::Serve {
            port: 9000,
            release: false,
            open: true,
        };
        assert_eq!(parsed("serve --port=9000"), Ok(expected));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(parsed("server").is_err_and(|m| m.contains("server")));
        assert!(parsed("serve --port").is_err_and(|m| m.contains("needs a value")));
        assert!(parsed("serve --port 99999").is_err_and(|m| m.contains("99999")));
        assert!(parsed("wasm").is_err_and(|m| m.contains("webgpu")));
        assert!(parsed("test --al").is_err_and(|m| m.contains("--al")));
    }
}
