//! The reasons why a snapshot cannot be restored.

use crate::level::LEVEL;

/// The format that this release writes, and the highest format that it reads.
pub(super) const FORMAT: u8 = 1;

/// Size in bytes of the digest at the end of a snapshot.
pub(super) const DIGEST_BYTES: usize = 16;

/// The reason why bytes are not a snapshot that this release can restore.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSnapshot {
    /// Not a snapshot at all.
    #[error("it does not begin like a registry snapshot")]
    NotASnapshot,
    /// Written in a later format.
    #[error(
        "it is in format {found}; this release reads up to format {FORMAT}: \
         a newer release is needed"
    )]
    Format {
        /// The format of the snapshot.
        found: u8,
    },
    /// Uses commands or fields of a later level.
    #[error("it needs a release that supports level {needed}; this one supports level {LEVEL}")]
    Level {
        /// The level of the snapshot.
        needed: u32,
    },
    /// Truncated or damaged.
    #[error("{part} cannot be read at byte {at}: {why}")]
    Damaged {
        /// The damaged part.
        part: &'static str,
        /// The offset of the part.
        at: usize,
        /// The problem with the part.
        why: String,
    },
    /// Readable, but different from what was written.
    #[error("its digest is {stated:032x}, but its contents have {computed:032x}")]
    Digest {
        /// The digest stored at the end.
        stated: u128,
        /// The digest of the restored state.
        computed: u128,
    },
}

pub(super) fn damaged(part: &'static str, at: usize, why: &str) -> BadSnapshot {
    BadSnapshot::Damaged {
        part,
        at,
        why: why.to_owned(),
    }
}
