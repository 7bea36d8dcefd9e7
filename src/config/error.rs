//! The errors of a configuration, which are all reported together.

use std::fmt;
use std::path::Path;

/// One error, on one line.
///
/// Errors are ordered by location, because a person reads the files in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigError {
    /// The location of the error.
    pub location: SourceLocation,
    /// The message, which includes the key.
    pub message: String,
}

/// A location in the configuration. Displays as `FILE`, `FILE:LINE` or `-D`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceLocation {
    /// The file, or the option.
    pub source: String,
    /// The line, from 1; 0 for the whole file or option.
    pub line: usize,
}

impl SourceLocation {
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

impl fmt::Display for SourceLocation {
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
        write!(f, "{}: {}", self.location, self.message)
    }
}

/// All errors of a configuration; never empty. Displays as one line per error.
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
    /// Creates a list with a single error.
    pub(super) fn one(location: SourceLocation, message: impl Into<String>) -> Self {
        Self(vec![ConfigError {
            location,
            message: message.into(),
        }])
    }
}
