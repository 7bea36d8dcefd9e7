//! The error for a request body that is refused.

use std::fmt::Display;

/// The reason why a body is refused, as one line of text that names the field. The status of the
/// response is 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}")]
pub struct BadAnnouncement {
    line: String,
}

impl BadAnnouncement {
    pub(crate) fn new(line: String) -> Self {
        Self {
            line: line.replace(['\r', '\n'], " "),
        }
    }

    pub(crate) fn missing(at: impl Display, field: &str) -> Self {
        Self::new(format!("{at}{field} is missing"))
    }
}
