//! The one error type of the library.

use std::fmt;

/// What went wrong, for programs; the message is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A text or option given by the caller cannot be used.
    Input,
    /// The metric is not in the catalogue and came without a definition.
    Metric,
    /// A row or column of a data file is not what it should be.
    Data,
    /// A file could not be read or written.
    Io,
    /// A file is not the one its manifest names: altered or cut short.
    Hash,
    /// The bundle was written in another format version.
    Version,
    /// A manifest, tokenizer or tensor file is malformed.
    Format,
    /// A tensor's shape does not fit the configuration.
    Shape,
    /// The compute device failed or could not be had.
    Device,
    /// A download failed.
    Network,
    /// The caller called the work off.
    Cancelled,
    /// The request is well-formed but this build cannot do it.
    Unsupported,
}

impl ErrorKind {
    /// The kind as the kebab-case word that JSON and JavaScript carry.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Metric => "metric",
            Self::Data => "data",
            Self::Io => "io",
            Self::Hash => "hash",
            Self::Version => "version",
            Self::Format => "format",
            Self::Shape => "shape",
            Self::Device => "device",
            Self::Network => "network",
            Self::Cancelled => "cancelled",
            Self::Unsupported => "unsupported",
        }
    }
}

/// An error with a kind for programs and a message for the user.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` whose `message` says what was expected, what was found and what to do.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// What went wrong, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error with `context: ` put before its message.
    pub fn context(self, context: impl fmt::Display) -> Self {
        Self::new(self.kind, format!("{context}: {}", self.message))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
