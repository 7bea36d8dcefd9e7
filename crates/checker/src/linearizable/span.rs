//! The time in which a call may take effect.

/// The time in which a call may take effect, and whether the call may also have no effect.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub call_ns: u64,
    pub return_ns: u64,
    pub is_optional: bool,
}
