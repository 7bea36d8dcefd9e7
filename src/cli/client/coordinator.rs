//! A coordinator as a server answers it.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;

/// What is used of a coordinator's JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coordinator {
    /// Where clients reach it.
    pub uri: String,
    /// A static announcement has none.
    pub node_id: Option<String>,
    /// `presto` or `trino`.
    pub engine: Option<String>,
}

impl Coordinator {
    /// The address as one word, whatever was announced.
    pub fn word(&self) -> String {
        const NOT_IN_A_WORD: &AsciiSet = &CONTROLS.add(b' ');
        utf8_percent_encode(&self.uri, NOT_IN_A_WORD).to_string()
    }
}
