//! When a call may take effect.

/// When a call may take effect, and whether it need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub call_ns: u64,
    pub return_ns: u64,
    pub is_optional: bool,
}
