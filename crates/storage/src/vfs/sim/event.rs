//! The changes that the file system records, and the images that they lead to.

use super::content::FileContent;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

/// The content of every file.
pub(crate) type DiskImage = BTreeMap<PathBuf, FileContent>;

/// Returns a digest that distinguishes images.
pub(crate) fn digest_of(image: &DiskImage) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.hash(&mut hasher);
    hasher.finish()
}

/// A change, or a step of a test between changes.
#[derive(Debug, Clone)]
pub(crate) enum DiskChange {
    Write {
        inode: usize,
        offset: u64,
        data: Arc<[u8]>,
    },
    SetLen {
        inode: usize,
        len: u64,
    },
    Sync {
        inode: usize,
    },
    Link {
        path: PathBuf,
        inode: usize,
    },
    Unlink {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
        inode: usize,
    },
    SyncDir {
        dir: PathBuf,
    },
    /// The test started its n-th step.
    Began(usize),
    /// The test's n-th step was acknowledged.
    Acknowledged(usize),
}
