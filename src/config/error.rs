//! What is wrong with a configuration, all of it at once.

use std::fmt;
use std::path::Path;

/// One thing that is wrong, on one line.
///
/// Ordered as a person goes through the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigError {
    /// Where.
    pub place: Place,
    /// What, with the key.
    pub message: String,
}

/// A place in the configuration: displays as `FILE`, `FILE:LINE` or `-D`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, or the option.
    pub source: String,
    /// The line, from 1; 0 for the whole.
    pub line: usize,
}

impl Place {
    pub(super) fn new(source: impl Into<String>, line: usize) -> Self {
        Self {
            source: source.into(),
            line,
        }
    }

    pub(super) fn file(path: &Path) -> Self {
        Self::new(path.display().to_string(), 0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Everything that is wrong: never empty. Displays as one line an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl ConfigErrors {
    /// A single error.
    pub(super) fn one(place: Place, message: impl Into<String>) -> Self {
        Self(vec![ConfigError {
            place,
            message: message.into(),
        }])
    }
}
