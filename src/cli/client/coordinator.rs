//! A coordinator, as a server returns it.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;

/// The fields of a coordinator's JSON that the commands use.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoordinatorLine {
    /// The address at which clients reach the coordinator.
    pub uri: String,
    /// The node id; `None` for a static announcement.
    pub node_id: Option<String>,
    /// The engine: `presto` or `trino`.
    pub engine: Option<String>,
}

impl CoordinatorLine {
    /// Returns the address as one word: blanks and control characters are percent-encoded.
    pub fn word(&self) -> String {
        const NOT_IN_A_WORD: &AsciiSet = &CONTROLS.add(b' ');
        utf8_percent_encode(&self.uri, NOT_IN_A_WORD).to_string()
    }
}
